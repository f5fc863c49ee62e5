/**
 * The owner types of the application, and their entities. If the interface is empty, any text is an owner type;
 * otherwise only the declared ones are.
 * @example declare module 'nestjs-files' { interface FileOwnerTypes { package: Package; user: User } }
 */
export interface FileOwnerTypes {}
