import { IsString } from 'class-validator';

export class LogInDto {
  @IsString()
  name!: string;

  @IsString()
  password!: string;
}
