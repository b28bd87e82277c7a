// Objects that functions make: `new` neither compiles nor makes one.
import { Namespace, NamespaceSet, Plan, plan, Program, record } from '../../lib';
import { leavesNothing } from '../support/leftovers';

leavesNothing();

const refused = (construct: () => unknown, message: string): void =>
  expect(construct).toThrow(
    expect.objectContaining({
      name: 'TypeError',
      code: 'ERR_ILLEGAL_CONSTRUCTOR',
      message: `Illegal constructor: ${message}`,
    }),
  );

test('new is refused, with the function that makes one', () => {
  // @ts-expect-error -- private
  refused(() => new Namespace('/proc/self/ns/net'), 'a Namespace is made by Namespace.open() and createNamespaces()');
  // @ts-expect-error -- private
  refused(() => new NamespaceSet([]), 'a NamespaceSet is made by createNamespaces()');
  // @ts-expect-error -- private
  refused(() => new Plan('true'), 'a Plan is made by plan()');
  // @ts-expect-error -- private
  refused(() => new Program(() => {}), 'a Program is made by record()');
});

test('those that functions make are instances of their classes', () => {
  expect(plan('true')).toBeInstanceOf(Plan);
  expect(record(() => {})).toBeInstanceOf(Program);
});
