import { create } from 'zustand';
import { persist } from 'zustand/middleware';

/** What this browser remembers between meetings. */
interface Settings {
  name: string;
  /** 连接语音, 打开摄像头 at entry. */
  microphoneOn: boolean;
  cameraOn: boolean;
  /** Device ids; empty for the system's choice. */
  microphone: string;
  camera: string;
  speaker: string;
  layout: 'speaker' | 'gallery';
  remember: (changes: Partial<Omit<Settings, 'remember'>>) => void;
}

export const useSettings = create<Settings>()(
  persist(
    set => ({
      name: '',
      microphoneOn: true,
      cameraOn: true,
      microphone: '',
      camera: '',
      speaker: '',
      layout: 'speaker',
      remember: changes => set(changes),
    }),
    { name: 'huitong.settings' },
  ),
);
