import { IsUUID } from 'class-validator';
import { ResourceDto } from './resource.dto.js';

export class CreateResourceDto extends ResourceDto {
  @IsUUID()
  packageId!: string;
}
