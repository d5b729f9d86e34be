/** The camera: a new frame whenever the one before has its scores, so that the bars follow as fast as the model can. */

/**
 * @param {{ video: HTMLVideoElement, button: HTMLButtonElement, frame: (image: ImageBitmap) => void,
 *   started: () => void, failed: (message: string) => void }} options
 * @returns {{ next: () => void, stop: () => void }} `next`: the last frame has its scores
 */
export function startCamera({ video, button, frame, started, failed }) {
  /** @type {MediaStream | undefined} */
  let stream;

  async function start() {
    // Pages that came neither by https nor from this machine have no camera.
    if (navigator.mediaDevices === undefined)
      throw new Error('Browsers allow the camera only on pages served over https or from localhost.');
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    video.srcObject = stream;
    await video.play();
    button.textContent = 'Stop the camera';
    button.setAttribute('aria-pressed', 'true');
    started();
    next();
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    button.textContent = 'Use the camera';
    button.setAttribute('aria-pressed', 'false');
  }

  function next() {
    if (stream === undefined) return;
    requestAnimationFrame(() =>
      createImageBitmap(video)
        .then((image) => (stream === undefined ? image.close() : frame(image)))
        .catch(() => undefined),
    );
  }

  button.addEventListener('click', () => {
    if (stream !== undefined) {
      video.pause();
      stop();
      return;
    }
    start().catch((error) => {
      stop();
      failed(reason(error));
    });
  });
  return { next, stop };
}

/** @param {Error} error */
function reason(error) {
  if (error.name === 'NotAllowedError') return 'The camera was not allowed.';
  if (error.name === 'NotFoundError') return 'There is no camera.';
  return error.message;
}
