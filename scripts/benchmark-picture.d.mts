export function pictureOf(page: string): string;
