import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describe, expect, it } from 'vitest';
import { PLATFORMS, startApp } from '../../support/http-app.js';

describe('OpenAPI', () => {
  it.each(PLATFORMS)('knows the routes on %s', async (platform) => {
    const { app } = await startApp({ platform });
    const { paths, components } = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method} ${path}`),
    );
    expect(routes).toEqual(
      expect.arrayContaining([
        'post /files',
        'get /files',
        'get /files/{id}',
        'patch /files/{id}',
        'delete /files/{id}',
        'get /files/{id}/content',
        'put /files/{id}/content',
        'post /files/{id}/transfer',
        'put /files/{id}/pin',
        'delete /files/{id}/pin',
        'get /files/{id}/history',
        'post /files/uploads',
        'get /files/uploads/{id}',
        'delete /files/uploads/{id}',
        'post /files/uploads/{id}/parts',
        'post /files/uploads/{id}/complete',
      ]),
    );
    expect(paths['/files']?.post).toMatchObject({
      summary: 'Upload files',
      requestBody: { content: { 'multipart/form-data': { schema: { required: ['file'] } } } },
    });
    expect(Object.keys(paths['/files/{id}/content']?.get?.responses ?? {})).toEqual(
      expect.arrayContaining(['200', '206', '304', '404', '412', '416']),
    );
    expect(paths['/files']?.get?.parameters).toContainEqual(
      expect.objectContaining({ name: 'filters', in: 'query', required: false }),
    );
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.values(methods as Record<string, { summary?: string }>).map(({ summary }) => [path, summary]),
    );
    expect(described.filter(([, summary]) => !summary)).toEqual([]);
    expect(Object.keys(paths['/files/{id}']?.delete?.responses ?? {})).toEqual(['204', '401', '403', '404', '409']);
    expect(components?.schemas?.['TransferFileInput']).toMatchObject({ required: ['ownerType', 'ownerId'] });
  });
});
