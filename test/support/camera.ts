/**
 * Takes pictures of a simulated machine as power loss would leave it, before and after the calls that change its disk or its
 * catalog, each with what callers had been told by then. Taking one waits for nothing, so it does not change the history.
 */
import type { Random } from './random.ts';
import type { SimMachine, SimMachineOptions } from './sim-machine.ts';
import type { Journal } from './traffic.ts';

/** What may be found after power loss at one moment. */
export interface CrashImage {
  readonly machine: SimMachine;
  /** The camera that hangs on `machine`, off. */
  readonly camera: Camera;
  /** The moment, for a failure's message. */
  readonly moment: string;
  readonly told: ReturnType<Journal['snapshot']>;
}

export class Camera {
  readonly options: SimMachineOptions;
  readonly images: CrashImage[] = [];
  readonly #random: Random;
  #scene: { readonly machine: SimMachine; readonly journal: Journal; readonly perMoment: number } | undefined;
  /** Moments seen while on. */
  moments = 0;

  constructor(random: Random) {
    this.#random = random;
    this.options = {
      disk: {
        onCall: ({ operation, number, path }, moment) => this.#shoot(`${moment} ${operation} ${number} of ${path}`),
      },
      kv: { onWrite: (moment, call) => this.#shoot(`${moment} catalog write ${call}`) },
      seed: this.#random.int(2 ** 31),
    };
  }

  /** From now on takes `perMoment` pictures at each moment; a fraction is a probability. */
  start(machine: SimMachine, journal: Journal, perMoment: number): void {
    this.#scene = { machine, journal, perMoment };
  }

  stop(): void {
    this.#scene = undefined;
  }

  #shoot(moment: string): void {
    const scene = this.#scene;
    if (scene === undefined) return;
    this.moments++;
    const random = this.#random;
    const whole = Math.floor(scene.perMoment);
    const count = whole + (random.chance(scene.perMoment - whole) ? 1 : 0);
    for (let n = 0; n < count; n++) {
      const camera = new Camera(random.fork());
      const loseLast = random.chance(0.4);
      const machine = scene.machine.crash(random, loseLast, camera.options);
      const text = `${moment}, picture ${n}${loseLast ? ', last catalog transaction lost' : ''}`;
      this.images.push({ machine, camera, moment: text, told: scene.journal.snapshot() });
    }
  }
}
