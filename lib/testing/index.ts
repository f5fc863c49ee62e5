/** @module nestjs-files/testing */

export { memoryStorage } from '../storage/adapters/memory.storage.js';
export type { MemoryStorageOptions } from '../storage/adapters/memory.storage.js';
export { describeStorage } from './describe-storage.js';
export type { StorageFactory } from './describe-storage.js';
export { FaultyStorage, faultyStorage } from './faulty-storage.js';
export type { FaultMoment } from './faulty-storage.js';
export type { TestJob } from './test-task-queue.js';
export { TestTaskQueue, testTaskQueue } from './test-task-queue.js';
export type { TestFramework } from './test-framework.js';
