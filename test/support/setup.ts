import 'reflect-metadata';
import { Logger } from '@nestjs/common';

// Nest's default is every level, and at level debug there is a line for each unit of work.
Logger.overrideLogger(['fatal', 'error', 'warn', 'log']);
