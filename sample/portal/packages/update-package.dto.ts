import { PartialType } from '@nestjs/mapped-types';
import { CreatePackageDto } from './create-package.dto.js';

/** Omitted fields stay. `attachmentId: null` removes the attachment; `resources` is the whole new list. */
export class UpdatePackageDto extends PartialType(CreatePackageDto, { skipNullProperties: false }) {}
