import { createRequire } from 'node:module';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import { describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/index.js';
import { describeTransport, startTransport } from '../../support/describe-transport.js';
import { gate } from '../../support/gate.js';
import { insertFile } from '../../support/ownership-databases.js';
import { graphql } from '../../support/resolvers.js';

// The instance that Nest loads: graphql-js refuses the schemas of another.
const { parse, subscribe } = createRequire(import.meta.url)('graphql') as typeof import('graphql');

await describeTransport('a resolver on Express', graphql('express'));
await describeTransport('a resolver on Fastify', { ...graphql('fastify'), databases: ['memory'] });

const ofAda = { ownerType: 'user', ownerId: 'ada' };

describe('a resolver', () => {
  it('hands over the files of inputs, nested inputs and arguments', async () => {
    const { create, ask, dataSource } = await startTransport(graphql('express'));
    const ids = await Promise.all([1, 2, 3, 4].map(() => insertFile(dataSource, ofAda)));
    const [attachmentId, first, second, byArgs] = ids as [string, string, string, string];
    await create({ title: 'nested', attachmentId, resources: [{ fileId: first }, { fileId: second }] }, 'ada');
    const { errors } = await ask('mutation ($id: String!) { createByArgs(title: "args", attachmentId: $id) { id } }', {
      id: byArgs,
    });
    expect(errors).toBeUndefined();
    const files = await dataSource.getRepository(ManagedFile).find();
    const owners = ids
      .map((id) => files.find((file) => file.id === id))
      .map((file) => `${file?.ownerType} ${file?.ownerId}`);
    expect(owners).toEqual(['package 1', 'resource 1', 'resource 2', 'package 2']);
  });

  it('runs two aliased mutations in two units: the first is saved when the second fails', async () => {
    const { ask, titles, packages } = await startTransport(graphql('express'));
    const two = `mutation {
      one: create(input: { title: "one" }) { title }
      two: create(input: { title: "two: the handler fails" }) { title }
    }`;
    const { data, errors } = await ask(two);
    expect([data, errors?.map(({ path }) => path)]).toEqual([null, [['two']]]);
    expect([await titles(), packages.committed, packages.undone]).toEqual([
      ['one'],
      ['one'],
      ['two: the handler fails'],
    ]);
  });

  it('finishes its work when the client goes away, and undoes it when an interceptor gives up', async () => {
    const { ask, packages, titles } = await startTransport(graphql('express'));
    const leave = new AbortController();
    const gone = ask('mutation { create(input: { title: "waits" }) { id } }', {}, 'ada', leave.signal);
    await packages.reached.opened;
    leave.abort();
    await expect(gone).rejects.toThrow('aborted');
    packages.goOn.open();
    await packages.ended('waits');

    [packages.reached, packages.goOn] = [gate(), gate()];
    const { errors } = await ask('mutation { createInTime(input: { title: "waits too long" }) { id } }');
    expect(errors?.[0]?.message).toBe('Timeout has occurred');
    packages.goOn.open();
    await packages.ended('waits too long');
    expect([await titles(), packages.undone]).toEqual([['waits'], ['waits too long']]);
  });

  it('answers validation errors in one form, before the handler and in the end', async () => {
    const { create, dataSource } = await startTransport(graphql('express'));
    const [mine, bens] = await Promise.all([
      insertFile(dataSource, ofAda),
      insertFile(dataSource, { ...ofAda, ownerId: 'ben' }),
    ]);
    await create({ title: 'first', attachmentId: mine }, 'ada');
    const refusal = (message: string) => ({
      extensions: { code: 'BAD_REQUEST', originalError: { message: [message], error: 'Bad Request', statusCode: 400 } },
    });
    const early = create({ title: 'of ben', attachmentId: bens }, 'ada');
    await expect(early).rejects.toMatchObject(refusal('attachmentId: The file does not exist, or you may not use it'));
    // The file of another package: only the result tells that it is not this one's.
    const late = create({ title: 'second', attachmentId: mine }, 'ada');
    await expect(late).rejects.toMatchObject(refusal('attachmentId: The file does not exist, or you may not use it'));
  });
});

describe('a field', () => {
  const withChild = '{ all { title child(title: "child") { title } } }';
  const withFile = (id: string) => `{ all { childWithFile(title: "child", attachmentId: "${id}") { title } } }`;

  it('opens its own unit when it is decorated', async () => {
    const { ask, create, titles } = await startTransport(graphql('express'));
    await create({ title: 'one' }, 'ada');
    const { errors } = await ask(withChild);
    expect([errors, await titles()]).toEqual([undefined, ['one', 'one child']]);
  });

  it('hands over files only where Nest runs interceptors on fields', async () => {
    const plain = await startTransport(graphql('express'));
    await plain.create({ title: 'one' }, 'ada');
    const refused = await plain.ask(withFile(await insertFile(plain.dataSource, ofAda)));
    expect(refused.errors?.[0]?.message).toContain('validated outside of a unit of work');

    const fieldResolverEnhancers = ['guards' as const, 'interceptors' as const, 'filters' as const];
    const enhanced = await startTransport(graphql('express', { fieldResolverEnhancers }));
    await enhanced.create({ title: 'one' }, 'ada');
    const id = await insertFile(enhanced.dataSource, ofAda);
    expect((await enhanced.ask(withFile(id))).errors).toBeUndefined();
    const file = await enhanced.dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    expect(file).toMatchObject({ ownerType: 'package', ownerId: '2' });
  });
});

describe('a subscription', () => {
  it.each([
    ['hears of what an effect after the commit publishes', 'created', ['kept', 'kept too']],
    ['may be decorated, and reads outside of that unit', 'counts', [1, 2]],
  ])('%s', async (_, field, values) => {
    const { app, create } = await startTransport(graphql('express'));
    const { schema } = app.get(GraphQLSchemaHost, { strict: false });
    const document = parse(`subscription { ${field} }`);
    const events = (await subscribe({ schema, document, contextValue: {} })) as AsyncGenerator<unknown>;
    const heard = [events.next(), events.next()];
    await create({ title: 'kept' }, 'ada');
    await create({ title: 'the handler fails' }, 'ada').catch(() => undefined);
    await create({ title: 'kept too' }, 'ada');
    const seen = (await Promise.all(heard)).map(({ value }) => value as unknown);
    expect(seen).toEqual(values.map((value) => ({ data: { [field]: value } })));
    await events.return(undefined);
  });
});
