import { Body, Controller, Param, ParseIntPipe, Patch } from '@nestjs/common';
import { AttachManyDto, AttachOneDto, AttachService } from './api.js';

/** The routes of every contestant but this library. */
@Controller()
export class PlainController {
  constructor(private readonly service: AttachService) {}

  @Patch('packages/:id')
  attachOne(@Param('id', ParseIntPipe) id: number, @Body() dto: AttachOneDto): Promise<object> {
    return this.service.attachOne(id, dto);
  }

  @Patch('collections/:id')
  attachMany(@Param('id', ParseIntPipe) id: number, @Body() dto: AttachManyDto): Promise<object> {
    return this.service.attachMany(id, dto);
  }
}
