import { writeGrants } from '../../../google/grant/words.ts';
import { withoutEdges } from '../../../shared/read-address.ts';
import type { HandlersOf } from '../../../shared/ipc.ts';
import type { ACCESS_CALLS, PowerMark } from '../../../shared/ipc/access.ts';
import { fail, ok, problem } from '../../../shared/problem.ts';
import { powerMarks } from '../../jobs/power-marks.ts';
import { accessService } from '../../keys/access-service.ts';
import type { Services } from '../../services.ts';

/** All but `access-candidate`, which belongs to those who hold the keys that came in. */
export function accessHandlers(
  services: Pick<Services, 'keys' | 'jobs' | 'settings' | 'endpoints'>,
): Omit<HandlersOf<typeof ACCESS_CALLS>, 'access-candidate'> {
  const { keys, jobs } = services;
  const access = accessService(services);
  return {
    'access-grant': async ({ form, ...wish }) => {
      const trimmed = (address: string | null): string | null =>
        address === null ? null : withoutEdges(address);
      const { input, output } = wish;
      const written = writeGrants(
        { ...wish, input: trimmed(input), output: trimmed(output) },
        form,
      );
      if (!written.ok) return written;
      const { text, plan } = written.value;
      return ok({ text, plan });
    },
    'access-powers': async () => {
      const cards = await keys.list();
      if (!cards.ok) return cards;
      return ok(
        cards.value.flatMap((card) => {
          const power = access.known(card.id);
          return power === null ? [] : [{ id: card.id, power }];
        }),
      );
    },
    'access-accept': async ({ id, typed }) => {
      const card = await keys.find(id);
      if (!card.ok) return card;
      if (typed.trim().toLowerCase() !== card.value.email.toLowerCase())
        return fail(
          problem({
            code: 'access.key-administers',
            op: 'confirm the key',
            subject: card.value.email,
            message: 'This is not the address of the key’s account.',
            hint: `Type ${card.value.email}.`,
          }),
        );
      access.accept(card.value.id);
      return ok(undefined);
    },
    'access-job': async ({ job }) => {
      const marks: PowerMark[] = [...(await powerMarks(jobs, access, job))];
      return ok(marks);
    },
  };
}
