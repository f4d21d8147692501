export function installWasmGradients(): void {}
