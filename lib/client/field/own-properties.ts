/** Gives the element again what was set on it before it was defined, so that its setters take it. */
export function takeOwnProperties<T extends object>(element: T, names: readonly (keyof T)[]): void {
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}
