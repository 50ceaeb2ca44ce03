import { hasEnded } from '../../../../shared/job-status.ts';
import type { JobView } from '../../../../shared/views.ts';
import { ManifestList } from './manifest-list.tsx';
import { OutputTree } from './output-tree.tsx';

/** The output twice: on the host's disk, and in the bucket. */
export function FilesPanel({ job, now }: { readonly job: JobView; readonly now: number }) {
  return (
    <div className="files">
      <section aria-label="On the host">
        <h2>On the host</h2>
        <div className="files-tree" tabIndex={0} role="region" aria-label="Output on the host">
          <OutputTree id={job.id} path="" live={!hasEnded(job.state)} now={now} />
        </div>
      </section>
      <section aria-label="In the bucket">
        <h2>In the bucket</h2>
        <ManifestList job={job} />
      </section>
    </div>
  );
}
