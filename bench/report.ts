/** Results of a benchmark: a table, the same as JSON, and what could not be measured. */
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import type { Ratios } from './baseline.ts'
import type { Spread } from './statistics.ts'

/** A measured section of the report. */
export interface Section {
  title: string
  /** Headings of the columns. The first column is text and aligned left, the others are numbers and aligned right. */
  columns: readonly string[]
  rows: readonly (readonly string[])[]
  /** Lines under the table. */
  notes: readonly string[]
  /** The same in numbers, for --json. */
  data: unknown
  /** What --check compares with the baseline. */
  ratios?: Ratios
}

/** What this machine lacks for a benchmark, and how to install it. */
export interface Missing {
  what: string
  why: string
}

export type SectionResult = Section | Missing

export const isMissing = (result: SectionResult): result is Missing => 'why' in result
export const isSection = (result: SectionResult): result is Section => !isMissing(result)

/** The section as lines of text. */
export function sectionText(section: Section): string {
  const lines = [section.columns, ...section.rows]
  const widths = section.columns.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)))
  const rows = lines.map((cells) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   '),
  )
  return `\n${section.title}\n${rows.map((row) => `  ${row.trimEnd()}\n`).join('')}${section.notes.map((note) => `  ${note}\n`).join('')}`
}

/** The machine and the versions on which all results depend. */
export interface Machine {
  cpu: string
  cpus: number
  memoryGiB: number
  kernel: string
  node: string
  /** Load average of the last minute at the beginning; with more than 0.5 here, wall times are not to be believed. */
  load: number
  date: string
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0] ?? loadavg()[0]),
    date: new Date().toISOString().slice(0, 10),
  }
}

export function machineText(machine: Machine): string {
  const { cpu, cpus: count, memoryGiB, kernel, node, load, date } = machine
  const busy = load > 0.5 ? ': the machine is busy, compare CPU times and ratios rather than wall times' : ''
  return `${date}, Node ${node}, ${count} × ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, load ${load}${busy}\n`
}

/** 1234567 as 1,234,567. */
export const whole = (value: number): string => Math.round(value).toLocaleString('en')

/** Two figures that count: 0.53, 5.3, 53. */
export const figure = (value: number): string => (value >= 100 ? whole(value) : value.toPrecision(value >= 10 ? 3 : 2))

/** median (min–max) */
export const spreadText = ({ min, median, max }: Spread, text: (value: number) => string = whole): string =>
  min === max ? text(median) : `${text(median)} (${text(min)}–${text(max)})`
