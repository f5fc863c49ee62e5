import { Injectable } from '@nestjs/common';
import { FileLinks } from '../files/file-links.js';
import type { FileLink } from '../files/file-links.js';
import type { Package } from './package.entity.js';

/** A package as clients see it. */
export interface PackageView extends Pick<
  Package,
  'id' | 'name' | 'title' | 'visibility' | 'creatorId' | 'attachmentId'
> {
  attachment: FileLink | null;
  resources: { id: string; name: string; fileId: string; file: FileLink | null }[];
}

@Injectable()
export class PackageViews {
  constructor(private readonly links: FileLinks) {}

  async of(packages: readonly Package[]): Promise<PackageView[]> {
    const link = await this.links.to(packages.flatMap(fileIds));
    return packages.map((pkg) => view(pkg, link));
  }

  async ofOne(pkg: Package): Promise<PackageView> {
    return view(pkg, await this.links.to(fileIds(pkg)));
  }
}

function fileIds({ attachmentId, resources }: Package): (string | null)[] {
  return [attachmentId, ...resources.map(({ fileId }) => fileId)];
}

function view(pkg: Package, link: (id: string | null) => FileLink | null): PackageView {
  const { id, name, title, visibility, creatorId, attachmentId } = pkg;
  const resources = pkg.resources.map((resource) => ({
    id: resource.id,
    name: resource.name,
    fileId: resource.fileId,
    file: link(resource.fileId),
  }));
  return { id, name, title, visibility, creatorId, attachmentId, attachment: link(attachmentId), resources };
}
