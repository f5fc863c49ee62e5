import { PartialType } from '@nestjs/mapped-types';
import { CreatePackageDto } from './create-package.dto.js';

/** What is left out stays. `attachmentId: null` takes the attachment off; `resources` is the whole new list. */
export class UpdatePackageDto extends PartialType(CreatePackageDto, { skipNullProperties: false }) {}
