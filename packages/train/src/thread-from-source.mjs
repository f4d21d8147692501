// Where the sources run as they are, a thread has to learn TypeScript first.
import { register } from "tsx/esm/api";

register();
await import(process.argv[2]);
