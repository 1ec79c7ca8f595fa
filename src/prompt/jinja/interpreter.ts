import { Environment, Interpreter, type Statement, type Value } from './engine.js';
import { attribute, compute, item, passes } from './expressions.js';
import type * as nodes from './nodes.js';
import type { Node } from './nodes.js';
import { apply, filters, methodOf, type Arguments } from './operations.js';
import { slice, str } from './python.js';
import { bindsTighter, generationMacro } from './tag.js';
import { asKind, boolean, isA, itemsOf, kindOf, list, loop, string, tuple } from './values.js';

/** A `break` or `continue` on its way to its loop, with what was printed before. */
class LoopControl extends Error {
  output = '';
  readonly type: string;

  constructor(type: string) {
    super();
    this.type = type;
  }
}

/** Names that Jinja2 knows beside those that zrank sets. */
const otherGlobals = ['cycler', 'dict', 'joiner', 'lipsum', 'self', 'super'];

/** Statements whose value is what they printed; that of an expression is still to be printed. */
const printing = ['Break', 'CallStatement', 'Comment', 'Continue', 'FilterStatement', 'For', 'If', 'Macro', 'Set'];

/**
 * @huggingface/jinja where it computes what Jinja2 does. Where it does not, this either computes it or throws: a prompt
 * that differs from the one that a model was trained with gives wrong scores without a word.
 */
export class Jinja2Interpreter extends Interpreter {
  override evaluate(statement: Statement | undefined, scope: Environment): Value {
    const node = statement as Node | undefined;
    switch (node?.type) {
      case 'Constant':
        return node.value;
      case 'Block':
        return this.#block(node, scope);
      case 'Break':
      case 'Continue':
        throw new LoopControl(node.type);
      case 'For':
        return this.#for(node, scope);
      case 'Set':
        return this.#set(node, scope);
      case 'Macro':
        return this.#macro(node, scope);
      case 'CallStatement':
        return this.#callBlock(node, scope);
      case 'FilterStatement':
        return this.#filter(node.filter, this.#buffered(node.body, scope), scope);
      case 'FilterExpression':
        return this.#filter(node.filter, this.evaluate(node.operand, scope), scope);
      case 'TestExpression':
        return this.#test(node, scope);
      case 'Identifier':
        return this.#identifier(node, scope);
      case 'BinaryExpression':
        return this.#binary(node, scope);
      case 'MemberExpression':
        return this.#member(node, scope);
      case 'CallExpression':
        return this.#call(node, scope);
      default:
        return super.evaluate(node, scope);
    }
  }

  #same(node: Node, scope: Environment): Value {
    return super.evaluate(node, scope);
  }

  #block({ body }: nodes.Block, scope: Environment): Value {
    let output = '';
    for (const statement of body) {
      try {
        output += this.#print(statement, scope);
      } catch (error) {
        if (error instanceof LoopControl) error.output = output + error.output;
        throw error;
      }
    }
    return string(output);
  }

  #print(statement: Statement, scope: Environment): string {
    if (printing.includes(statement.type)) return (this.evaluate(statement, scope).value as string | null) ?? '';
    const node = statement as Node;
    const isSafe =
      node.type === 'FilterExpression' && node.filter.type === 'Identifier' && node.filter.value === 'safe';
    return str(this.evaluate(isSafe ? node.operand : node, scope));
  }

  /** What a body prints whose assignments stay inside. */
  #nested(body: readonly Statement[], scope: Environment): Value {
    return this.evaluate(body[0], new Environment(scope));
  }

  /** The same, unless a loop is left there. */
  #buffered(body: readonly Statement[], scope: Environment): Value {
    try {
      return this.#nested(body, scope);
    } catch (error) {
      if (error instanceof LoopControl) error.output = '';
      throw error;
    }
  }

  /** Assignments in a loop's body last for a turn. `else` is for loops of which no turn came to its end. */
  #for({ loopvar, iterable, body, defaultBlock }: nodes.For, scope: Environment): Value {
    const source = iterable as Node;
    const isSelect = source.type === 'SelectExpression';
    const turns = itemsOf(this.evaluate(isSelect ? source.lhs : source, scope))
      .map((item) => ({ item, variables: this.#bind(loopvar, item, scope) }))
      .filter(({ variables }) => !isSelect || this.evaluate(source.test, variables).__bool__().value);
    const items = turns.map(({ item }) => item);
    let output = '';
    let isEnded = false;
    for (const [i, { variables }] of turns.entries()) {
      variables.setVariable('loop', loop(items, i));
      try {
        output += str(this.evaluate(body[0], variables));
        isEnded = true;
      } catch (error) {
        if (!(error instanceof LoopControl)) throw error;
        output += error.output;
        if (error.type === 'Break') break;
      }
    }
    return isEnded ? string(output) : string(output + str(this.#nested(defaultBlock, scope)));
  }

  #bind(loopvar: Statement, item: Value, scope: Environment): Environment {
    const variables = new Environment(scope);
    this.#same({ type: 'Set', assignee: loopvar, value: constant(item), body: [] }, variables);
    return variables;
  }

  #set(node: nodes.SetStatement, scope: Environment): Value {
    const value = node.value ? this.evaluate(node.value, scope) : this.#buffered(node.body, scope);
    const assignee = node.assignee as Node;
    if (assignee.type === 'MemberExpression' && (assignee.property as nodes.Identifier).value.startsWith('_'))
      throw new Error('a name that begins with an underscore is not for namespaces');
    return this.#same({ ...node, value: constant(value) }, scope);
  }

  /** A macro sees what there is where it stands, not where it is called; only `caller` comes from there. */
  #macro(node: nodes.Macro, scope: Environment): Value {
    this.#same(node, scope);
    const macro = scope.variables.get(node.name.value)!;
    if (!isA(macro, 'FunctionValue')) return macro;
    const body = macro.value;
    macro.value = (args, from) => {
      const own = new Environment(scope);
      const caller = from.variables.get('caller');
      if (caller) own.setVariable('caller', caller);
      return body(args, own);
    };
    return string('');
  }

  #callBlock(node: nodes.CallStatement, scope: Environment): Value {
    const callee = node.call.callee as Node;
    const isGeneration = callee.type === 'Identifier' && callee.value === generationMacro;
    return isGeneration ? this.#nested(node.body, scope) : this.#same(node, scope);
  }

  #identifier(node: nodes.Identifier, scope: Environment): Value {
    const value = this.#same(node, scope);
    if (isA(value, 'UndefinedValue') && otherGlobals.includes(node.value))
      throw new Error(`${node.value} is not supported`);
    return value;
  }

  #binary(node: nodes.BinaryExpression, scope: Environment): Value {
    const operator = node.operator.value;
    if (operator === 'and' || operator === 'or') return this.#same(node, scope);
    const left = this.evaluate(node.left, scope);
    const right = this.evaluate(node.right, scope);
    if (bindsTighter.has(node.operator) && !isA(left, 'StringValue'))
      throw new Error('numbers before ~ need brackets: (a + b) ~ c');
    return compute(operator, left, right, () =>
      this.#same({ ...node, left: constant(left), right: constant(right) }, scope),
    );
  }

  #member(node: nodes.MemberExpression, scope: Environment): Value {
    const object = this.evaluate(node.object, scope);
    const property = node.property as Node;
    if (property.type === 'SliceExpression') return this.#slice(object, property, scope);
    if (!node.computed && property.type === 'Identifier') return attribute(object, property.value, false);
    return item(object, this.evaluate(property, scope));
  }

  #slice(object: Value, node: nodes.SliceExpression, scope: Environment): Value {
    const [start, stop, step] = [node.start, node.stop, node.step].map((part) => {
      const bound = part && this.evaluate(part, scope);
      if (bound === undefined || isA(bound, 'NullValue')) return undefined;
      if (isA(bound, 'IntegerValue')) return bound.value;
      throw new Error(`a ${bound.type} as a bound of a slice is not supported`);
    });
    if (!isA(object, 'StringValue', 'ArrayValue', 'TupleValue') || kindOf(object))
      throw new Error(`a slice of ${kindOf(object) ?? `a ${object.type}`} is not supported`);
    const items = slice(itemsOf(object), start, stop, step);
    if (isA(object, 'StringValue')) return string(items.map(str).join(''));
    return isA(object, 'TupleValue') ? tuple(items) : list(items);
  }

  #call(node: nodes.CallExpression, scope: Environment): Value {
    const callee = node.callee as Node;
    if (callee.type === 'MemberExpression' && !callee.computed) {
      const object = this.evaluate(callee.object, scope);
      const { value: name } = callee.property as nodes.Identifier;
      const method = methodOf(object, name);
      const member: nodes.MemberExpression = { ...callee, object: constant(object) };
      if (method === undefined) return this.#same({ ...node, callee: member }, scope);
      const call = this.#arguments(node.args, scope);
      return apply(method, `.${name}()`, object, call, () => {
        const builtin = object.builtins.get(name)!;
        return isA(builtin, 'FunctionValue') ? builtin.value([...call.args], scope) : builtin;
      });
    }
    const isRange = callee.type === 'Identifier' && callee.value === 'range';
    const result = this.#same(node, scope);
    return isRange ? asKind(result, 'a range') : result;
  }

  #filter(filter: nodes.Identifier | nodes.CallExpression, operand: Value, scope: Environment): Value {
    const isCall = filter.type === 'CallExpression';
    const { value: name } = (isCall ? filter.callee : filter) as nodes.Identifier;
    const call = this.#arguments(isCall ? filter.args : [], scope);
    return apply(filters[name], `|${name}`, operand, call, () => {
      const named: nodes.Identifier = { type: 'Identifier', value: name };
      const args = [...call.args.map(constant), ...Array.from(call.kwargs, keyword)];
      const again = args.length > 0 ? ({ type: 'CallExpression', callee: named, args } as const) : named;
      return this.#same({ type: 'FilterExpression', operand: constant(operand), filter: again }, scope);
    });
  }

  #arguments(nodes: readonly Statement[], scope: Environment): Arguments {
    const args: Value[] = [];
    const kwargs = new Map<string, Value>();
    for (const argument of nodes as readonly Node[]) {
      if (argument.type === 'KeywordArgumentExpression') {
        kwargs.set(argument.key.value, this.evaluate(argument.value, scope));
      } else {
        args.push(this.evaluate(argument, scope));
      }
    }
    return { args, kwargs };
  }

  #test({ operand, negate, test }: nodes.TestExpression, scope: Environment): Value {
    return boolean(passes(test.value, this.evaluate(operand, scope)) !== negate);
  }
}

/** @huggingface/jinja wants some arguments of filters to be string literals. */
function constant(value: Value): nodes.Constant | nodes.StringLiteral {
  return isA(value, 'StringValue') ? { type: 'StringLiteral', value: value.value } : { type: 'Constant', value };
}

function keyword([name, value]: [string, Value]): nodes.KeywordArgument {
  return { type: 'KeywordArgumentExpression', key: { type: 'Identifier', value: name }, value: constant(value) };
}
