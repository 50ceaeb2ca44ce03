import * as z from 'zod';

type Schema = z.core.$ZodType;

/** Objects that allow fields which their schema does not name, at every depth; `catchall` as Zod has it. */
class Opened {
  readonly #made = new WeakMap<Schema, Schema>();
  readonly #catchall: Schema | undefined;

  constructor(catchall: Schema | undefined) {
    this.#catchall = catchall;
  }

  /** Made once for each schema. */
  of<T extends Schema>(schema: T): T {
    let open = this.#made.get(schema);
    if (open === undefined) {
      open = this.#open(schema);
      this.#made.set(schema, open);
    }
    return open as T;
  }

  /** `_zod.def` is what Zod offers to programs that walk schemas: https://zod.dev/library-authors. */
  #open(schema: Schema): Schema {
    const { def } = (schema as z.core.$ZodTypes)._zod;
    const withParts = (parts: object): Schema => z.core.clone(schema, { ...def, ...parts });
    switch (def.type) {
      case 'object': {
        const shape = Object.fromEntries(
          Object.entries(def.shape).map(([name, field]) => [name, this.of(field)]),
        );
        return withParts({ shape, catchall: this.#catchall });
      }
      case 'array':
        return withParts({ element: this.of(def.element) });
      case 'record':
        return withParts({ valueType: this.of(def.valueType) });
      case 'tuple':
        return withParts({
          items: def.items.map((item) => this.of(item)),
          rest: def.rest === null ? null : this.of(def.rest),
        });
      case 'union':
        return withParts({ options: def.options.map((option) => this.of(option)) });
      case 'intersection':
        return withParts({ left: this.of(def.left), right: this.of(def.right) });
      case 'pipe':
        return withParts({ in: this.of(def.in), out: this.of(def.out) });
      case 'optional':
      case 'nullable':
      case 'default':
      case 'prefault':
      case 'readonly':
      case 'nonoptional':
      case 'catch':
      case 'success':
      case 'promise':
        return withParts({ innerType: this.of(def.innerType) });
      default:
        return schema;
    }
  }
}

const keeping = new Opened(z.unknown());
const dropping = new Opened(undefined);

/**
 * The schema for what another version of Trainyard wrote: at every depth, fields that it does not know are kept as they are instead of refused. What
 * it knows is checked as before, so a value of the wrong type is refused all the same.
 */
export const keepUnknown = <T extends Schema>(schema: T): T => keeping.of(schema);

/** As {@link keepUnknown}, but what the schema does not know is left away: for what goes to the window. */
export const dropUnknown = <T extends Schema>(schema: T): T => dropping.of(schema);
