/** What the stages know of a place where frames are captured. Carried through the rings as JSON, once per ring. */
export interface InterfaceInfo {
  /** As in the pair's `capture.interface`: `eth0`, or a file's own name for it. */
  name: string
  vantage: 'server' | 'client' | 'host' | 'file'
  mesh: string | null
  /**
   * Network namespaces are told apart by this: equal 5-tuples of two domains are different connections.
   * 0 for the host and for files. A uint16.
   */
  domain: number
}
