/** Detects modules that hold state: those with a class whose methods modify its own state or that of its objects. */
import {
  isBinaryExpression,
  isCallExpression,
  isClassDeclaration,
  isConstructorDeclaration,
  isElementAccessExpression,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
  isPropertyDeclaration,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { type SourceFile, walk } from './source-tree.ts'

/** Methods of arrays, maps and sets that change them. */
const CHANGES: ReadonlySet<string> = new Set([
  'add',
  'clear',
  'delete',
  'fill',
  'pop',
  'push',
  'set',
  'shift',
  'sort',
  'splice',
  'unshift',
])

const isPlace = (node: Node): boolean => isPropertyAccessExpression(node) || isElementAccessExpression(node)

const isAssignment = ({ kind }: Node): boolean =>
  kind >= SyntaxKind.FirstAssignment && kind <= SyntaxKind.LastAssignment

const isStep = (operator: SyntaxKind): boolean =>
  operator === SyntaxKind.PlusPlusToken || operator === SyntaxKind.MinusMinusToken

/** Whether a node modifies something that outlives the call: a field, an element, or a collection in a field. */
function changes(node: Node): boolean {
  if (isBinaryExpression(node)) return isAssignment(node.operatorToken) && isPlace(node.left)
  if (isPostfixUnaryExpression(node) || isPrefixUnaryExpression(node)) {
    return isStep(node.operator) && isPlace(node.operand)
  }
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return false
  const { name, expression: changed } = node.expression
  return (
    CHANGES.has(name.text) && isPropertyAccessExpression(changed) && changed.expression.kind === SyntaxKind.ThisKeyword
  )
}

/** Whether a class of the module has a method that modifies state. Constructors only initialise it. */
export function holdsState({ tree }: SourceFile): boolean {
  let holds = false
  walk(tree, (declared) => {
    if (!isClassDeclaration(declared)) return
    for (const member of declared.members) {
      if (isConstructorDeclaration(member) || isPropertyDeclaration(member)) continue
      walk(member, (node) => {
        holds ||= changes(node)
      })
    }
  })
  return holds
}
