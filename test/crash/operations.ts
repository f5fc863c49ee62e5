import type { Answer, PortalClient } from '../e2e/portal/portal-client.js';

/** Makes what the operation starts from; what it gives sends the one request that is to be disturbed. */
export type Operation = (alice: PortalClient) => Promise<() => Promise<Answer<unknown>>>;

const PDF = 'application/pdf';

function pdf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(`%PDF-1.7\n% ${text}\n`));
}

/** A form with a file in each of the fields. */
function formWith(...fields: string[]): FormData {
  const form = new FormData();
  for (const field of fields) form.set(field, new Blob([pdf(field)], { type: PDF }), `${field}.pdf`);
  return form;
}

function upload(alice: PortalClient, name: string): Promise<string> {
  return alice.upload(pdf(name), `${name}.pdf`, PDF);
}

async function save(alice: PortalClient, path: string, body: object): Promise<string> {
  const { status, body: saved } = await alice.post(path, body);
  if (status !== 201) throw new Error(`POST ${path} was refused: ${status} ${JSON.stringify(saved)}`);
  return saved.id;
}

const savePackage = (alice: PortalClient, attachmentId: string | null = null) =>
  save(alice, '/packages', { name: 'trial', title: 'Trial', attachmentId });

/** Everything that brings files, their bytes and their owners together or apart. */
export const OPERATIONS: Record<string, Operation> = {
  create: async (alice) => () => alice.sendFile(pdf('new'), 'new.pdf', PDF),

  'create within a unit': async (alice) => () => alice.post('/drafts/printed'),

  'upload in an action': async (alice) => () => alice.sendForm('POST', '/drafts/filled', formWith('coverId', 'scanId')),

  'upload in place of another': async (alice) => {
    const id = await save(alice, '/drafts', { scanId: await upload(alice, 'scan') });
    return () => alice.sendForm('PATCH', `/drafts/${id}/filled`, formWith('scanId'));
  },

  'attach to new records': async (alice) => {
    const [attachmentId, fileId] = [await upload(alice, 'attachment'), await upload(alice, 'data')];
    const resources = [{ name: 'data', fileId }];
    return () => alice.post('/packages', { name: 'trial', title: 'Trial', attachmentId, resources });
  },

  'attach to a record': async (alice) => {
    const [id, attachmentId] = [await savePackage(alice), await upload(alice, 'attachment')];
    return () => alice.patch(`/packages/${id}`, { attachmentId });
  },

  replace: async (alice) => {
    const id = await upload(alice, 'old');
    return () => alice.putFile(id, pdf('quite another content'));
  },

  detach: async (alice) => {
    const id = await savePackage(alice, await upload(alice, 'attachment'));
    return () => alice.patch(`/packages/${id}`, { attachmentId: null });
  },

  'detach and release': async (alice) => {
    const id = await save(alice, '/drafts', { coverId: await upload(alice, 'cover') });
    return () => alice.patch(`/drafts/${id}`, { coverId: null });
  },

  'detach and delete': async (alice) => {
    const id = await save(alice, '/drafts', { scanId: await upload(alice, 'scan') });
    return () => alice.patch(`/drafts/${id}`, { scanId: null });
  },

  'attach another and delete': async (alice) => {
    const id = await save(alice, '/drafts', { scanId: await upload(alice, 'scan') });
    const scanId = await upload(alice, 'other');
    return () => alice.patch(`/drafts/${id}`, { scanId });
  },

  delete: async (alice) => {
    const id = await upload(alice, 'old');
    return () => alice.delete(`/files/${id}`);
  },

  'delete several': async (alice) => {
    const ids = [await upload(alice, 'one'), await upload(alice, 'two'), await upload(alice, 'three')];
    return () => alice.post('/drafts/cleared', { ids });
  },

  'copy a record with its files': async (alice) => {
    const [coverId, scanId] = [await upload(alice, 'cover'), await upload(alice, 'scan')];
    const id = await save(alice, '/drafts', { coverId, scanId });
    return () => alice.post(`/drafts/${id}/copied`, {});
  },

  transfer: async (alice) => {
    const id = await upload(alice, 'given');
    return () => alice.post(`/files/${id}/transfer`, { ownerType: 'shelf', ownerId: 'upper' });
  },
};
