import { Injectable } from '@nestjs/common';
import { FilesService } from 'nestjs-files';

/** A file as records show it. */
export interface FileLink {
  id: string;
  name: string;
  contentType: string;
  url: string;
}

@Injectable()
export class FileLinks {
  constructor(private readonly files: FilesService) {}

  /** Looks files up at once, and gives the function that tells them: `link(pkg.attachmentId)`. */
  async to(ids: readonly (string | null)[]): Promise<(id: string | null) => FileLink | null> {
    const files = await this.files.findMany(ids.filter((id) => id !== null));
    const links = new Map(
      files.map(({ id, name, contentType }) => [id, { id, name, contentType, url: `/files/${id}/content` }]),
    );
    return (id) => links.get(id ?? '') ?? null;
  }
}
