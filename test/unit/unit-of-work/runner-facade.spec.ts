import type { QueryRunner } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { createFacade, isFacade } from '../../../lib/unit-of-work/typeorm/runner-facade.js';
import type { Scope } from '../../../lib/unit-of-work/scopes/scope.js';

/** Makes a kind of query runner that nobody has seen before, as each database has its own. */
function newKind() {
  return class Runner {
    readonly own = Symbol('own');
    loaded: string[] = [];
    [key: string]: unknown;

    load(what: string): void {
      this.loaded = [...this.loaded, what];
    }

    isActive(): unknown {
      return this['isTransactionActive'];
    }
  };
}

function facadeOf<T extends object>(runner: T): T {
  const dataSource = { createEntityManager: (facade: unknown) => ({ queryRunner: facade }) };
  return createFacade({ transaction: { runner, dataSource } } as unknown as Scope) as unknown as T;
}

describe('the facade of a query runner', () => {
  it('has the methods and the fields of the query runner, with the values of the moment', () => {
    const runner = new (newKind())();
    const facade = facadeOf(runner);
    expect([facade.own, facade.loaded, facade instanceof runner.constructor]).toEqual([runner.own, [], true]);
    runner.loaded = ['note'];
    expect(facade.loaded).toEqual(['note']);
  });

  it('keeps the fields that its methods set', () => {
    const runner = new (newKind())();
    const [first, second] = [facadeOf(runner), facadeOf(runner)];
    first.load('note');
    first.load('tag');
    expect([first.loaded, second.loaded, runner.loaded]).toEqual([['note', 'tag'], [], []]);
    expect(Object.keys(first)).toContain('loaded');
    expect(Object.getOwnPropertyDescriptor(first, 'loaded')).toMatchObject({ writable: true, configurable: true });
    Reflect.deleteProperty(first, 'loaded');
    expect(first.loaded).toEqual([]);
  });

  it('uses its overrides, also from the methods of the query runner', () => {
    const runner = new (newKind())();
    runner['isTransactionActive'] = false;
    const facade = facadeOf(runner);
    expect([facade.isActive(), runner.isActive()]).toEqual([true, false]);
  });

  it('has the fields that another query runner of its kind has besides', () => {
    const Kind = newKind();
    facadeOf(new Kind());
    const further = new Kind();
    further['added'] = 'later';
    expect(facadeOf(further)['added']).toBe('later');
  });

  it('lacks the fields of other kinds', () => {
    const odd = new (newKind())();
    odd['odd'] = true;
    facadeOf(odd);
    expect('odd' in facadeOf(new (newKind())())).toBe(false);
  });

  it('has one manager, which is made when it is first asked for', () => {
    const facade = facadeOf(new (newKind())());
    expect(facade['manager']).toBe(facade['manager']);
    expect(facade['manager']).toEqual({ queryRunner: facade });
  });

  it('can be told from all other query runners', () => {
    const runner = new (newKind())() as unknown as QueryRunner;
    expect([isFacade(facadeOf(runner)), isFacade(runner), isFacade(undefined)]).toEqual([true, false, false]);
  });
});
