/** An image by drop, choice or paste. */

/**
 * @param {{ area: HTMLElement, file: HTMLInputElement, isShown: () => boolean,
 *   use: (image: File, name: string) => void }} options `isShown`: pasted images are meant for this area
 */
export function takeImages({ area, file, isShown, use }) {
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) use(chosen, chosen.name);
    file.value = '';
  });
  for (const name of ['dragenter', 'dragover']) {
    area.addEventListener(name, (event) => {
      event.preventDefault();
      area.classList.add('over');
    });
  }
  for (const name of ['dragleave', 'drop']) area.addEventListener(name, () => area.classList.remove('over'));
  area.addEventListener('drop', (event) => {
    event.preventDefault();
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped !== undefined) use(dropped, dropped.name);
  });
  document.addEventListener('paste', (event) => {
    const [pasted] = event.clipboardData?.files ?? [];
    if (pasted !== undefined && isShown()) use(pasted, pasted.name);
  });
}
