import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Type } from '@nestjs/common';
import { s3Storage } from 'nestjs-files/storage/s3';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { DEMO_ACCOUNTS } from '../../sample/portal/users/demo-accounts.js';
import { compilePortal } from '../crash/portal/portal-process.js';
import type { TestDatabase } from '../support/databases.js';
import { blocksOf } from '../support/doc-pages.js';
import { newDirectory } from '../support/files-directory.js';
import { startNginx } from '../support/nginx.js';
import type { Nginx } from '../support/nginx.js';
import { s3Config, theBucket } from '../support/s3-server.js';
import { freePort } from '../../scripts/free-ports.mjs';
import { Calls } from './calls.js';
import { Client } from './client.js';
import { commandLineModule } from './command-line-module.js';
import { Gateway } from './gateway.js';
import { Replica } from './replica.js';

/** Bytes of the files of a package. */
const QUOTA = 64 * 1024;

/** Notes who leased which intent, from when and until when. */
const LEASE_LOG = `
  CREATE TABLE lease_log (id serial PRIMARY KEY, intent uuid, owner uuid, until bigint, at bigint);
  CREATE FUNCTION log_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO lease_log (intent, owner, until, at)
    VALUES (NEW.id, NEW.lease_owner, NEW.lease_until, floor(extract(epoch FROM clock_timestamp()) * 1000));
    RETURN NULL;
  END $$;
  CREATE TRIGGER log_lease AFTER UPDATE OF lease_owner ON files_intent
    FOR EACH ROW WHEN (NEW.lease_owner IS NOT NULL) EXECUTE FUNCTION log_lease();`;

/** Two portals behind nginx, on one database and one gateway, and their clients. */
export class ReplicaWorld {
  readonly calls = new Calls();
  readonly clients: Client[] = [];

  private constructor(
    readonly url: string,
    readonly replicas: readonly [Replica, Replica],
    readonly gateway: Gateway,
    readonly bucket: string,
    readonly observer: DataSource,
    private readonly database: DataSourceOptions,
    private readonly nginx: Nginx,
    private readonly ends: (() => Promise<unknown>)[],
  ) {}

  static async open(kind: TestDatabase, configuration: string, seed: number, clients: number): Promise<ReplicaWorld> {
    const ends: (() => Promise<unknown>)[] = [];
    try {
      const { options: database, drop } = await kind.create();
      ends.unshift(drop);
      const { bucket } = await theBucket();
      const gateway = await Gateway.start(configuration);
      ends.unshift(() => gateway.kill());
      const directory = newDirectory();
      const module = await compilePortal(directory, new URL('replica.child.ts', import.meta.url));
      const [first, second] = [await freePort(), await freePort()];
      const place = { database, endpoint: gateway.endpoint, bucket, quota: QUOTA };
      const replicas = [
        new Replica(module, { ...place, port: first }),
        new Replica(module, { ...place, port: second }),
      ] as const;
      for (const replica of replicas) ends.unshift(() => replica.end('SIGKILL'));
      // The first one makes the tables.
      for (const replica of replicas) await replica.start();
      const observer = await new DataSource({
        ...database,
        entities: [],
        poolSize: 1,
      } as DataSourceOptions).initialize();
      ends.unshift(() => observer.destroy());
      await observer.query(LEASE_LOG);
      const nginx = await startNginx(serverOf(), upstreamOf(replicas));
      ends.unshift(nginx.stop);
      const url = nginx.url.href.slice(0, -1);
      const world = new ReplicaWorld(url, replicas, gateway, bucket, observer, database, nginx, ends);
      await world.#admit(clients, seed);
      return world;
    } catch (error) {
      for (const end of ends) await end();
      throw error;
    }
  }

  /** What nginx says of the replicas. */
  get errors(): string {
    return this.nginx.log();
  }

  /** While it works, nginx sends no requests to the replica, and has got its answers to those that it has sent. */
  async without(replica: Replica, work: () => Promise<void>): Promise<void> {
    await this.nginx.reload(upstreamOf(this.replicas, replica));
    await work();
    await this.nginx.reload(upstreamOf(this.replicas));
  }

  /** A request past the load, by a manager, who may read everything. */
  async read(path: string): Promise<Response> {
    this.#manager ??= await this.#logIn('mary');
    return fetch(this.url + path, { headers: { authorization: `Bearer ${this.#manager}` } });
  }

  /** What the health checks of docs/deploying.md answer. */
  async health(): Promise<{ ready: number; files: number; down: string[] }> {
    const { status: ready } = await fetch(`${this.url}/health/ready`);
    const response = await fetch(`${this.url}/health/files`);
    const { error = {} } = (await response.json()) as { error?: Record<string, unknown> };
    return { ready, files: response.status, down: Object.keys(error) };
  }

  /** Resolves when nginx sends requests to it again. */
  async serves(replica: Replica): Promise<void> {
    for (;;) {
      const { headers } = await fetch(`${this.url}/health/live`);
      if (headers.get('x-upstream') === replica.address) return;
    }
  }

  /** Throws every connection of the replicas out of the database, and resolves when they know. */
  async terminateConnections(): Promise<number> {
    const others = 'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
    const rows = await this.observer.query<{ pid: number }[]>(
      `WITH others AS MATERIALIZED (${others}) SELECT pid FROM others WHERE pg_terminate_backend(pid)`,
    );
    const left = 'SELECT 1 FROM pg_stat_activity WHERE pid = ANY($1)';
    while ((await this.observer.query<unknown[]>(left, [rows.map(({ pid }) => pid)])).length > 0);
    for (const replica of this.replicas) await replica.ask('ping');
    return rows.length;
  }

  /** The same records and files, for the command line. */
  get module(): Type {
    const client = { ...s3Config(), endpoint: this.gateway.endpoint };
    return commandLineModule(this.database, s3Storage({ client, bucket: this.bucket }));
  }

  /** The keys of the bucket, without those of the storage itself, and the uploads in parts that have not ended. */
  async stored(): Promise<{ keys: string[]; uploads: string[] }> {
    const { client, bucket } = await theBucket();
    const keys: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: after }));
      keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
      after = page.NextContinuationToken;
      if (after === undefined) break;
    }
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    const own = ['.nestjs-files/mark', '.nestjs-files/probe'];
    return { keys: keys.filter((key) => !own.includes(key)).sort(), uploads: Uploads.map(({ Key = '' }) => Key) };
  }

  /** One column of the rows. */
  async column(sql: string): Promise<string[]> {
    return (await this.observer.query<{ value: string }[]>(sql)).map(({ value }) => value);
  }

  async close(): Promise<void> {
    for (const end of this.ends) await end();
  }

  #manager: string | undefined;

  async #admit(count: number, seed: number): Promise<void> {
    const token = await this.#logIn('alice');
    for (let at = 0; at < count; at++)
      this.clients.push(new Client(this.url, `client${at}`, token, seed * 1000 + at, QUOTA, this.calls));
  }

  async #logIn(name: string): Promise<string> {
    const { password } = DEMO_ACCOUNTS.find((account) => account.name === name)!;
    const body = JSON.stringify({ name, password });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/login`, { method: 'POST', headers, body });
    return ((await response.json()) as { token: string }).token;
  }
}

/** The blocks of docs/deploying.md. */
function nginxBlocks(): string[] {
  return blocksOf('deploying.md').flatMap(({ language, text }) => (language === 'nginx' ? [text] : []));
}

function serverOf(): string {
  const [common = '', , passing = ''] = nginxBlocks();
  // A reload closes the connections of clients that wait for their next request. Browsers send that again, and these
  // clients do not.
  const location = `${common} ${passing} add_header X-Upstream $upstream_addr always; keepalive_timeout 0;`;
  return `location / { ${location} }`;
}

function upstreamOf(replicas: readonly [Replica, Replica], out?: Replica): string {
  const [, upstream = ''] = nginxBlocks();
  const addresses = ['10.0.0.11:3000', '10.0.0.12:3000'];
  return addresses.reduce((text, address, at) => {
    const replica = replicas[at]!;
    return text.replace(`server ${address}`, `server ${replica.address}${replica === out ? ' down' : ''}`);
  }, upstream);
}
