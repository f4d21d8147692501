export { writeError, writeFileAtomic } from "./atomic-write.ts";
