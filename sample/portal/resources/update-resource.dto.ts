import { PartialType } from '@nestjs/mapped-types';
import { ResourceDto } from './resource.dto.js';

export class UpdateResourceDto extends PartialType(ResourceDto, { skipNullProperties: false }) {}
