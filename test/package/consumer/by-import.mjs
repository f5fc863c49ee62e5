import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as nestTypeorm from '@nestjs/typeorm';
import * as typeorm from 'typeorm';
import * as files from 'nestjs-files';
import * as fs from 'nestjs-files/storage/fs';
import * as memory from 'nestjs-files/storage/memory';
import * as testing from 'nestjs-files/testing';
import { scenario } from './scenario.cjs';

const outcome = await scenario({ nest: { common, core }, nestTypeorm, typeorm, files, fs, memory });
console.log(JSON.stringify({ ...outcome, exports: Object.keys(files), testing: Object.keys(testing) }));
