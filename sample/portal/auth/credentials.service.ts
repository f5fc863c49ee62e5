import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Credential } from './credential.entity.js';
import { hashPassword, isPassword } from './password.js';

@Injectable()
export class CredentialsService {
  /** The hash that a password is compared with if the user is unknown, so that the time does not reveal names. */
  readonly #nobody = hashPassword('nobody');

  constructor(@InjectRepository(Credential) private readonly credentials: Repository<Credential>) {}

  async set(userId: string, password: string): Promise<void> {
    await this.credentials.save({ userId, passwordHash: await hashPassword(password) });
  }

  async isRight(userId: string | undefined, password: string): Promise<boolean> {
    const credential = userId === undefined ? null : await this.credentials.findOneBy({ userId });
    const isRight = await isPassword(password, credential?.passwordHash ?? (await this.#nobody));
    return credential !== null && isRight;
  }
}
