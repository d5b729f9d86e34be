/** Swagger UI as a person uses it. */
import type { Locator, Page } from 'playwright-core';

export interface Operation {
  /** Its part of the page. */
  block: Locator;
  /** Types the elements of a list. */
  fill(name: string, values: string[]): Promise<void>;
  /** Sends the request, and returns the JSON of the answer that is shown. */
  execute(): Promise<unknown>;
}

/** Opens an operation, by the summary that is shown of it, to be tried out. */
export async function openOperation(page: Page, summary: string): Promise<Operation> {
  const block = page.locator('.opblock', { hasText: summary });
  const toggle = () => block.locator('.opblock-summary-control').click();
  await toggle();
  await block.getByRole('button', { name: 'Try it out' }).click();
  return {
    block,
    async fill(name, values) {
      const row = block.locator('tr', { hasText: name }).first();
      for (const [index, value] of values.entries()) {
        const inputs = row.locator('input[type=text]');
        if ((await inputs.count()) <= index)
          await row.getByRole('button', { name: 'Add string item' }).click();
        await inputs.nth(index).fill(value);
      }
    },
    async execute() {
      await block.getByRole('button', { name: 'Execute' }).click();
      const body = block.locator('.live-responses-table .response .microlight').first();
      const answer = JSON.parse((await body.textContent()) ?? '') as unknown;
      // Swagger UI draws all that is open anew at each change.
      await toggle();
      return answer;
    },
  };
}
