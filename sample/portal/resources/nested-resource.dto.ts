import { IsOptional, IsUUID } from 'class-validator';
import { ResourceDto } from './resource.dto.js';

/** A resource within a package. */
export class NestedResourceDto extends ResourceDto {
  /** Of a resource that the package has already; left out for a new one. */
  @IsOptional()
  @IsUUID()
  id?: string;
}
