// A Node process whose only work is one probe(), right after the import.
import { probe } from 'nsclone';
import { since } from '../timing.mjs';

const began = process.hrtime.bigint();
await probe();
console.log(JSON.stringify({ 'call → answers': since(began) }));
