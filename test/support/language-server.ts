// The language server of TypeScript: what an editor shows.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(__dirname, '../..');

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: unknown;
  readonly params?: { readonly items?: readonly unknown[] };
}

/** A place in a text, both from 0 on. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

interface Hover {
  readonly contents: { readonly value: string };
}

interface Completions {
  readonly items: readonly { readonly label: string }[];
}

/** A server that has one file open, which need not be on the disk as it is here. */
export class LanguageServer {
  readonly #server: ChildProcess;
  readonly #uri: string;
  readonly #answers = new Map<number, (result: unknown) => void>();
  #received = Buffer.alloc(0);
  #asked = 0;

  private constructor(path: string) {
    this.#uri = pathToFileURL(path).href;
    // What it says of what it did not finish in time is of no interest.
    this.#server = spawn(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--lsp', '--stdio'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#server.stdout!.on('data', (chunk: Buffer) => this.#hear(chunk));
  }

  static async open(path: string, text: string): Promise<LanguageServer> {
    const server = new LanguageServer(path);
    await server.#ask('initialize', {
      processId: process.pid,
      rootUri: pathToFileURL(root).href,
      capabilities: { textDocument: { hover: { contentFormat: ['plaintext'] } } },
    });
    server.#send({ method: 'initialized', params: {} });
    const textDocument = { uri: server.#uri, languageId: 'typescript', version: 1, text };
    server.#send({ method: 'textDocument/didOpen', params: { textDocument } });
    return server;
  }

  /** What is shown where the pointer rests. */
  async hover(position: Position): Promise<string> {
    const hover = await this.#ask('textDocument/hover', { textDocument: { uri: this.#uri }, position });
    return (hover as Hover | null)?.contents.value ?? '';
  }

  /** The names that may be written there. */
  async completions(position: Position): Promise<string[]> {
    const found = await this.#ask('textDocument/completion', { textDocument: { uri: this.#uri }, position });
    return ((found as Completions | null)?.items ?? []).map(({ label }) => label.replace(/\?$/, ''));
  }

  async close(): Promise<void> {
    const exit = once(this.#server, 'exit');
    await this.#ask('shutdown', null);
    this.#send({ method: 'exit' });
    this.#server.stdin!.end();
    await exit;
  }

  #ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#asked;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.#send({ id, method, params });
    });
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#server.stdin!.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  #hear(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const head = this.#received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const end = head + 4 + Number(/Content-Length: (\d+)/i.exec(this.#received.toString('latin1', 0, head))![1]);
      if (this.#received.length < end) return;
      const message = JSON.parse(this.#received.toString('utf8', head + 4, end)) as Message;
      this.#received = this.#received.subarray(end);
      this.#answer(message);
    }
  }

  #answer({ id, method, params, result }: Message): void {
    if (id === undefined) return;
    // It asks for settings, and to be told of files: there are none.
    if (method !== undefined) return this.#send({ id, result: params?.items?.map(() => null) ?? null });
    this.#answers.get(id)?.(result);
    this.#answers.delete(id);
  }
}
