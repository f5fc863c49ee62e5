import type { DataSource } from 'typeorm';

/** Whether the server is MariaDB. MySQL's versions have not come to 10 yet, and who names it `mariadb` gets what MySQL can do, too. */
export function isMariadb({ options, driver }: DataSource): boolean {
  return options.type === 'mariadb' && Number.parseInt(driver.version ?? '', 10) >= 10;
}
