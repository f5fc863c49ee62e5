/**
 * The types of owners that the application has, and their entities. Empty, any text is an owner type; declared, only these are.
 * @example declare module 'nestjs-files' { interface FileOwnerTypes { package: Package; user: User } }
 */
export interface FileOwnerTypes {}
