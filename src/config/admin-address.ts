/** The setting of the admin server's address, as messages name it. */
import type { ListenSetting } from '../net/listen-address.ts'

/** `admin.address` */
export const ADMIN_ADDRESS: ListenSetting = {
  name: 'admin.address',
  example: '127.0.0.1:9464',
  hint: 'Set admin.address to another address, or leave it empty to disable metrics and health.',
}
