// What generated expressions are made of: for each type of value its literals and its forms, one a line. In a form,
// `$type` is an operand of that type (in parentheses if need be), `%type` the same where no parentheses are needed;
// the types below `Special` are not of values but of places. Forms with `await` are used in async functions alone.

const lines = (text) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

export const LITERALS = {
  num: lines(`
    0
    -0
    1
    -1
    2
    3
    7
    10
    0.5
    1.5
    -2.5
    255
    1e21
    1e-7
    123456789
    2147483647
    -2147483648
    4294967295
    4294967296
    9007199254740991
    9007199254740993
    NaN
    Infinity
    -Infinity
    0.1
    1e300
    5e-324
    1.7976931348623157e308
    1_000
    .5
    5.
    0b101
    0o17
    0xFF
    1.005
    25.125
    -7.45
    123.456
    0.000001
    1e-10
    4.35
  `),
  str: lines(`
    ''
    'a'
    'b'
    'abc'
    'Hello'
    ' x '
    '12'
    '-0'
    '1e3'
    '0x10'
    'é'
    '😀'
    '\\ud83d'
    '\\ude00'
    'a😀b'
    'ß'
    'İ'
    'ﬁ'
    'ΑΣ'
    'a,b,c'
    '\\n'
    'true'
    'x y'
    '10'
    '9'
    'length'
    '\\u2028'
    '\\xA0 1 \\t'
    'aXbXc'
    "it's"
    'Infinity'
    '.5'
    '1_0'
    'zz'
    'A'
    '\\0'
    '\\u{1F600}\\u0041'
    '$&-$1-$$'
    \`t\`
  `),
  bool: ['true', 'false'],
  nums: lines(`
    []
    [1, 2, 3]
    [3, 1, 2]
    [10, 9, 1]
    [-0, 0, NaN]
    [1, , 3]
    [5]
    [0.1, 0.2]
    [-1, 1e21, Infinity]
    [1, [2, [3, [4]]]]
  `),
  strs: lines(`
    []
    ['a', 'b', 'c']
    ['b', 'a', 'C', 'A']
    ['10', '9', '1']
    ['x']
    ['😀', '\\ud83d', 'z']
    ['', 'aa', 'a']
  `),
  arr: lines(`
    []
    [undefined, null, 0]
    [, 1]
    [1, 'a', true]
    [[1, 2], [3, 4]]
    [['x', 1], ['y', 2]]
    [{ x: 1 }, { x: 2 }]
    [, ,]
    [null, undefined, , NaN, -0]
  `),
  obj: lines(`
    {}
    { x: 1 }
    { x: 1, y: 2 }
    { y: 'b', x: 'a' }
    { 2: 'two', 1: 'one', b: 0, a: 0 }
    { x: { y: { z: 1 } } }
    { 'a b': 1, '-1': 2, '01': 3 }
    { x: undefined, y: null }
    { toJSON: () => ({ j: 1 }) }
    { length: 2, 0: 'p', 1: 'q' }
    { x: [1, { y: 2 }] }
    { then: 1 }
  `),
  map: lines(`
    new Map()
    new Map([['x', 1], ['y', 2]])
    new Map([[NaN, 'n'], [0, 'z'], ['0', 's']])
  `),
  set: lines(`
    new Set()
    new Set([1, 2, 3])
    new Set('hello')
    new Set([NaN, NaN, 0, -0, '0'])
  `),
  date: lines(`
    new Date(0)
    new Date(Date.UTC(2024, 1, 29, 12, 30, 45, 678))
    new Date(NaN)
    new Date('2023-12-31T23:59:59.999Z')
    new Date(-1)
    new Date('2024-02-30')
    new Date(8.64e15)
    new Date('2020-06-15T10:00:00+05:30')
  `),
  err: lines(`
    new Error('e')
    new TypeError('t')
    new RangeError('r', { cause: 1 })
    new Error()
    new AggregateError([1, new Error('i')], 'g')
    new SyntaxError('s')
    new Error(undefined, { cause: undefined })
    Error('plain')
  `),
  re: lines(`
    /a/
    /b*/g
    /(?<n>a)|(?<m>b)/g
    /(a)?(b)/d
    /\\s+/
    /,/g
    /[^]/gu
    /x/y
    /(?:)/g
    /^|$/gm
    /\\w+/gi
    /(?<=a)./su
    /(\\w)\\1/
    new RegExp('')
  `),
  any: ['undefined', 'null'],
  json: lines(`
    '{"a":[1,2,{"b":null}]}'
    '[1,2,3]'
    '"s"'
    '  {"x" : 1e3, "y":-0, "2":0, "1":0}  '
    '[1,,2]'
    '{"a":1,"a":2}'
    'nul'
    '{"u":"\\\\ud83d\\\\u0041"}'
    '[true,false,null]'
    '{x:1}'
    ''
    '01'
    '"\\\\x"'
    '[1] 2'
  `),
}

export const FORMS = {
  num: lines(`
    $num + $num
    $num - $num
    $num * $num
    $num / $num
    $num % $num
    $num ** $int
    -$num
    +$any
    +$str
    ~$num
    $num & $num
    $num | $num
    $num ^ $num
    $num << $num
    $num >> $num
    $num >>> $num
    $str.length
    $arr.length
    $map.size
    $set.size
    $nums.indexOf(%num)
    $nums.indexOf(%num, %idx)
    $nums.lastIndexOf(%num)
    $strs.lastIndexOf(%str, %idx)
    $arr.findIndex(%cbBool)
    $arr.findLastIndex(%cbBool)
    $nums.reduce(%red, %num)
    $nums.reduceRight(%red)
    $arr.push(%any)
    $arr.unshift(%any, %any)
    $str.indexOf(%str)
    $str.indexOf(%str, %idx)
    $str.lastIndexOf(%str)
    $str.lastIndexOf(%str, %num)
    $str.search(%re)
    $str.search(%str)
    $re.lastIndex
    $re.exec(%str)?.index ?? -1
    [...$str.matchAll(%gre)].length
    $str.charCodeAt(%idx)
    $str.codePointAt(%idx)
    parseInt(%str)
    parseInt(%any, %idx)
    parseInt(%str, 36)
    parseFloat(%str)
    Number(%any)
    Number(%str)
    Number.parseFloat(%str)
    Math.abs(%num)
    Math.max(%num, %num)
    Math.min(%num, %any)
    Math.max(...%nums)
    Math.max()
    Math.round(%num)
    Math.floor(%num)
    Math.ceil(%num)
    Math.trunc(%num)
    Math.sign(%num)
    Math.sqrt(%num)
    Math.cbrt(%num)
    Math.hypot(%num, %num)
    Math.fround(%num)
    Math.clz32(%num)
    Math.imul(%num, %num)
    Math.pow(%num, %num)
    Math.log2(%num)
    Math.log10(%num)
    Math.exp(%num)
    Math.log(%num)
    Math.log1p(%num)
    Math.expm1(%num)
    Math.tan(%num)
    Math.atan2(%num, %num)
    Math.sin(%num)
    Math.cos(%num)
    Math.sinh(%num)
    Math.cosh(%num)
    Math.acos(%num)
    Math.atan(%num)
    Math.asinh(%num)
    Math.acosh(%num)
    Math.atanh(%num)
    Math.asin(%num)
    Math.tanh(%num)
    $date.getTime()
    $date.getUTCFullYear()
    $date.getUTCMonth()
    $date.getUTCDate()
    $date.getUTCDay()
    $date.getUTCHours()
    $date.getUTCMilliseconds()
    $date.setUTCMonth(%idx)
    $date.setUTCDate(%num)
    $date.setUTCFullYear(%num)
    $date.setUTCFullYear(2024, %idx, %idx)
    $date.setUTCHours(%idx, %idx, %idx, %idx)
    $date.setUTCMinutes(%num)
    $date.setTime(%num)
    $date - $date
    Date.UTC(%num, %idx)
    Date.UTC(2024, %idx, %idx, %idx, %idx, %idx, %idx)
    Date.parse(%datestr)
    Date.now()
    $obj.x * 2
    $fn.length
    $any.length
    $bool ? %num : %num
    $any ?? $num
    (await $prom) + 1
    $str - 0
    $arr * 1
    Number($num.toFixed(%idx))
    $num
  `),
  int: ['0', '1', '2', '3', '-1', '0.5', '10', '31', '-2'],
  str: lines(`
    $str + $str
    $str + $num
    $num + $str
    $any + $str
    $str + $arr
    \`<\${%any}>\`
    \`\${%num}|\${%str}\`
    \`\${%str}\${%arr}\`
    String(%any)
    String(%num)
    $str.slice(%idx)
    $str.slice(%idx, %idx)
    $str.substring(%idx, %idx)
    $str.substr(%idx, %idx)
    $str.toUpperCase()
    $str.toLowerCase()
    $str.trim()
    $str.trimStart()
    $str.trimEnd()
    $str.padStart(%small, %str)
    $str.padEnd(%small)
    $str.padEnd(%small, %str)
    $str.repeat(%small)
    $str.charAt(%idx)
    $str.at(%idx)
    $str[%idx]
    $str.concat(%any, %str)
    $str.replace(%str, %str)
    $str.replaceAll(%str, %str)
    $str.replace(%str, %cbStr)
    $str.replaceAll(%str, %cbStr)
    $str.replace(%re, %tmpl)
    $str.replace(%re, %tmpl)
    $str.replace(%re, %cbStr)
    $str.replace(%re, %cbRep)
    $str.replaceAll(%gre, %tmpl)
    $str.replaceAll(%re, %cbRep)
    $str.replace(%str, %tmpl)
    $re.source
    $re.flags
    $re.toString()
    \`\${%re}\`
    $re.exec(%str)?.[0] ?? ''
    $str.match(%re)?.groups?.n ?? ''
    $str.toWellFormed()
    $str.split('').reverse().join('')
    $arr.join()
    $arr.join(%str)
    $nums.join('-')
    $strs.join(%any)
    $arr.toString()
    $num.toString()
    $num.toString(%radix)
    $num.toFixed(%idx)
    $num.toPrecision(%idx)
    $num.toExponential(%idx)
    $num.toExponential()
    $num.toFixed()
    $bool.toString()
    JSON.stringify(%any)
    JSON.stringify(%obj)
    JSON.stringify(%any, null, %idx)
    JSON.stringify(%obj, null, %num)
    JSON.stringify(%arr, null, %str)
    JSON.stringify(%obj, %strs)
    JSON.stringify(%arr, (key, value) => typeof value === 'number' ? value + 1 : value)
    JSON.stringify(%any, (key, value) => key === 'x' ? undefined : value, '--')
    JSON.stringify(%str)
    JSON.stringify({ a: %any, b: %any })
    typeof $any
    typeof %any
    $date.toISOString()
    $date.toJSON()
    String(%date)
    $err.message
    $err.name
    String(%err)
    $err.toString()
    encodeURIComponent(%str)
    encodeURI(%str)
    decodeURIComponent(%str)
    decodeURI(%str)
    decodeURIComponent(encodeURIComponent(%str))
    btoa(%str)
    atob(%str)
    atob(btoa(%str))
    String.fromCharCode(%num, %num)
    String.fromCodePoint(%num)
    $fn.name
    Object.keys(%obj).join()
    $bool ? %str : %str
    $strs[%idx]
    $obj.y + ''
    $any + ''
    $str || $str
    $str && $str
  `),
  bool: lines(`
    $num < $num
    $num >= $num
    $str < $str
    $str >= $any
    $any < $any
    $any <= $any
    $any == $any
    $any != $any
    $num == $str
    $str == $arr
    $any === $any
    $num === $num
    $str !== $str
    !$any
    !$bool
    $bool && $bool
    $bool || $bool
    $kstr in $obj
    $idx in $arr
    'name' in $err
    'message' in $err
    'code' in $err
    'cause' in $err
    'prototype' in $fn
    delete $obj.x
    delete $obj[%kstr]
    $any instanceof Error
    $err instanceof TypeError
    $any instanceof Map
    $arr instanceof Array
    $any instanceof Object
    Array.isArray(%any)
    isNaN(%any)
    isFinite(%any)
    Number.isInteger(%any)
    Number.isSafeInteger(%num)
    Number.isNaN(%any)
    Number.isFinite(%num)
    Object.is(%any, %any)
    Object.is(%num, %num)
    Object.hasOwn(%obj, %kstr)
    $obj.hasOwnProperty(%kstr)
    Object.isFrozen(%any)
    Object.isFrozen(Object.freeze(%obj))
    Object.isSealed(%obj)
    Object.isExtensible(%obj)
    $arr.includes(%any)
    $nums.includes(%num)
    $nums.includes(NaN)
    $arr.some(%cbBool)
    $arr.every(%cbBool)
    $str.includes(%str)
    $str.startsWith(%str)
    $str.startsWith(%str, %idx)
    $str.endsWith(%str, %idx)
    $str.endsWith(%str)
    $re.test(%str)
    $re.test(%str)
    $re.test(%any)
    $re.global
    $re.sticky
    $re.hasIndices
    %any instanceof RegExp
    $str.isWellFormed()
    $map.has(%any)
    $map.delete(%any)
    $set.has(%any)
    $set.delete(%any)
    $set.isSubsetOf(%set)
    $set.isSupersetOf(%set)
    $set.isDisjointFrom(%set)
    Boolean(%any)
    $date < $date
    $num > $date
    $any ? %bool : %bool
    $any == null
  `),
  nums: lines(`
    [%num, %num, %num]
    [...%nums, %num]
    [...%nums, ...%nums]
    $nums.map(%cbNum)
    $nums.filter(%cbBool)
    $arr.map(%cbNum)
    $nums.slice(%idx, %idx)
    $nums.concat(%nums)
    $nums.toSorted()
    $nums.toSorted(%cmp)
    $nums.sort(%cmp)
    $nums.toReversed()
    $nums.reverse()
    $nums.with(%idx, %num)
    $nums.fill(%num, %idx)
    $nums.fill(%num, %idx, %idx)
    $nums.copyWithin(%idx, %idx)
    $nums.splice(%idx, %idx)
    $nums.splice(%idx, %idx, %num)
    $nums.flat()
    $nums.flat(Infinity)
    Array.from({ length: %small }, %cbNum)
    Array.from(%set)
    Array.of(%num, %num)
    Array.from(%str, %cbNum)
    Object.values(%obj)
    [...%set]
  `),
  strs: lines(`
    [%str, %str]
    $str.split(%str)
    $str.split(%str, %idx)
    $str.split()
    $str.split('')
    $str.split(%re)
    $str.split(%re)
    $str.split(%re, %idx)
    $str.match(%gre) ?? []
    [...$str.matchAll(%gre)].map(String)
    [...%str]
    Array.from(%str)
    $strs.map(%cbStr)
    $arr.map(%cbStr)
    $strs.toSorted()
    $strs.sort()
    $strs.sort(%cmp)
    $strs.filter(%cbBool)
    $strs.concat(%str)
    Object.keys(%any)
    Object.keys(%obj)
    Object.getOwnPropertyNames(%obj)
    $arr.map(String)
    $strs.flatMap(%cbArr)
  `),
  arr: lines(`
    [%any, %any]
    [%any]
    [, %any]
    [...%any]
    [...%arr, %any]
    [...%map]
    [...%set, ...%str]
    [...$str.matchAll(%gre)]
    Array.from($str.matchAll(%gre), %cbAny)
    $str.match(%re) ?? []
    $re.exec(%str) ?? []
    $str.matchAll(%gre).toArray()
    $arr.map(%cbAny)
    $arr.flatMap(%cbArr)
    $arr.filter(%cbBool)
    $arr.filter(Boolean)
    $arr.slice(%idx)
    $arr.splice(%idx, %idx, %any)
    $arr.toSpliced(%idx, %idx, %any, %any)
    $arr.concat(%any, %arr)
    $arr.flat(%idx)
    $arr.reverse()
    $arr.toReversed()
    $arr.toSorted()
    $arr.sort()
    $arr.with(%idx, %any)
    $arr.fill(%any)
    $arr.copyWithin(%idx, %idx, %idx)
    Array.from(%any)
    Array.from(%obj)
    Array.from($arr.entries())
    [...$arr.keys()]
    [...$strs.entries()]
    $arr.values().toArray()
    Array(%small)
    Array(%small).fill(%any)
    Array.of(%any, %any)
    Object.entries(%obj)
    Object.entries(%any)
    Object.values(%any)
    [...$map.keys()]
    [...$map.values()]
    [...$map.entries()]
    [...$set.entries()]
    structuredClone(%arr)
    JSON.parse('[1,"a",null]')
    $bool ? %arr : %arr
    $any ?? $arr
    await Promise.all([%prom, %any])
    await Promise.allSettled([%prom, %prom])
  `),
  obj: lines(`
    { x: %any }
    { x: %num, y: %str }
    { y: %any, x: %any, ...%obj }
    { ...%obj, ...%any }
    { ...%obj, x: %any }
    { ...%arr }
    { ...%str }
    { [%kstr]: [%any][0] }
    { [%num]: [%num][0], %key: %any }
    { %key: %any, %key: %any }
    { x: { y: %any } }
    { f() { return %any }, x: %num }
    Object.assign({}, %obj, %any)
    Object.assign(%obj, %obj)
    Object.fromEntries(%arr)
    Object.fromEntries(%map)
    Object.fromEntries($strs.map(%cbPair))
    Object.groupBy(%nums, %cbStr)
    Object.groupBy(%arr, %cbAny)
    { ...Object.groupBy(%arr, %cbAny) }
    $str.match(%re)?.groups ?? %obj
    Object.freeze(%obj)
    Object.seal(%obj)
    Object.preventExtensions(%obj)
    structuredClone(%obj)
    JSON.parse(JSON.stringify(%obj))
    $nums.reduce((sum, n) => ({ ...sum, [n]: n }), {})
    $bool ? %obj : %obj
    $any?.x ?? $obj
    await %obj
  `),
  map: lines(`
    new Map([[%any, %any]])
    new Map([[%str, %num], [%str, %num]])
    new Map(%arr)
    new Map(%map)
    new Map(Object.entries(%obj))
    $map.set(%any, %any)
    $map.set(%str, %num)
    Map.groupBy(%arr, %cbAny)
    structuredClone(%map)
  `),
  set: lines(`
    new Set(%arr)
    new Set(%nums)
    new Set(%str)
    new Set(%any)
    $set.add(%any)
    $set.union(%set)
    $set.intersection(%set)
    $set.difference(%set)
    $set.symmetricDifference(%set)
    $set.union(%map)
    structuredClone(%set)
  `),
  date: lines(`
    new Date(%num)
    new Date(%datestr)
    new Date($date.getTime() + $num)
    new Date(%date)
    structuredClone(%date)
    new Date()
  `),
  datestr: lines(`
    '2024'
    '2024-02'
    '2024-02-29'
    '2024-13-01'
    '2024-01-01T00:00Z'
    '2024-01-01T24:00:00Z'
    '2024-01-01T00:00:00.123456Z'
    '2024-01-01T00:00:00-08:00'
    '+012024-01-01'
    '-000001-01-01T00:00:00Z'
    '-000000-01-01T00:00:00Z'
    'nonsense'
    ''
    '2024-01-01T00:00:00z'
    '2023-02-29'
    '2024-04-31T00:00:00Z'
    '2024-01-01T25:00:00Z'
    '2024-01-01T10:00:60Z'
  `),
  re: lines(`
    %pattern
    %pattern
    %pattern
    new RegExp(%re)
    new RegExp(%re, %flags)
    new RegExp(%str)
    new RegExp(%str, %flags)
    RegExp(%re)
    structuredClone(%re)
    $bool ? %re : %re
  `),
  gre: lines(`
    new RegExp(%re, 'g')
    new RegExp(%re, 'gu')
    new RegExp(%re, 'dgi')
    new RegExp(%str, 'g')
    %re
  `),
  matches: ['$str.matchAll(%gre)'],
  flags: ["''", "'g'", "'gi'", "'u'", "'y'", "'dg'", "'gg'", "'x'", 'undefined', "'ms'"],
  tmpl: ["'$&'", "'[$1]'", "'<$<n>>'", "'$$'", '"$`-$\'"', "'$10$01'", "'$<x'", "''", "'$0$2'", '%str'],
  cbRep: lines(`
    (found, ...rest) => \`<\${found} \${rest.length} \${typeof rest.at(-1)}>\`
    (...all) => { log(all.slice(0, 4)); return %str }
    (found, first) => first
    (found, at, text) => String(at) + text
  `),
  err: lines(`
    new Error(%str)
    new TypeError(%any)
    new RangeError(%str, { cause: %any })
    new Error(%str, { cause: %err })
    new Error(%str, %any)
    new AggregateError(%arr, %str)
    Object.assign(new Error(%str), %obj)
  `),
  fn: lines(`
    %cbAny
    %cbNum
    %cbStr
    function (a, b = %any) { return [a, b] }
    (...rest) => rest
    ({ x, y = %any } = {}, ...rest) => [x, y, rest]
    ([a, , b] = []) => ({ a, b })
    (value) => String(value)
    (...all) => Math.max(...all)
    $obj.f
    (a = %any, b = a) => [a, b]
  `),
  afn: lines(`
    %asyncAny
    %asyncAny
    async () => { throw %err }
    async (a) => a
    async function (...args) { await null; return args }
  `),
  prom: lines(`
    Promise.resolve(%any)
    Promise.resolve(%prom)
    Promise.reject(%err)
    Promise.reject(%any)
    $afn(%any)
    $afn()
    $prom.then(%cbAny)
    $prom.then(%cbAny, %cbAny)
    $prom.then(%afn)
    $prom.then(%any)
    $prom.then(undefined, %cbAny)
    $prom.catch(%cbAny)
    $prom.finally(%cbAny)
    $prom.finally(%afn)
    $prom.then((value) => { throw %any })
    Promise.all([%prom, %prom])
    Promise.all(%arr)
    Promise.all($arr.map(%afn))
    Promise.allSettled([%prom, %any])
    Promise.race([%prom, %prom])
    Promise.any([%prom, %prom])
    Promise.any([])
    Promise.all(%any)
    Promise.allSettled($nums.map(%afn))
    Promise.race($nums.map(%afn))
    sleep(%sec)
    sleep(%sec).then(%cbAny)
    Task.run('echo', { a: %any })
    Task.run('fail')
    Task.run('echo', %obj).then(%cbAny)
  `),
  any: lines(`
    %num
    %str
    %bool
    %arr
    %obj
    %nums
    %strs
    %map
    %set
    %date
    %err
    %re
    $str.match(%re)
    $re.exec(%str)
    $str.matchAll(%gre).next().value
    $str.match(%re)?.indices
    %fn
    $obj.%prop
    $obj?.%prop
    $any?.x
    $any?.x?.y
    $any?.[%idx]
    $any?.x.y.z
    $obj.f?.(%any)
    $obj[%kstr]
    $arr[%idx]
    $arr.at(%idx)
    $arr.pop()
    $arr.shift()
    $arr.find(%cbBool)
    $arr.findLast(%cbBool)
    $arr.reduce(%red, %any)
    $arr.reduceRight(%red)
    $arr.forEach(%cbAny)
    $map.get(%any)
    $map.forEach(%cbBlock)
    $set.forEach(%cbBlock)
    $map.clear()
    $fn(%any)
    $fn(%any, %any)
    $fn(...%arr)
    $fn()
    $any ?? $any
    $any || $any
    $any && $any
    $any ? %any : %any
    $bool ? %any : %any
    (%fn)(%any)
    void $any
    JSON.parse(%json)
    JSON.parse(%json, (key, value) => typeof value === 'number' ? value * 2 : value)
    JSON.parse(%json, (key, value) => key === 'a' ? undefined : value)
    structuredClone(%any)
    structuredClone({ a: %any, m: %map })
    $err.cause
    $any.x
    $any[%kstr]
    $arr.keys().next()
    $strs.values().next().value
    Object.freeze(%arr)
    await %any
    await %prom
    await $prom
    await $afn(%any)
    await Promise.race([%prom, %prom])
    await Promise.any([%prom, %prom])
    await Task.run('echo', %any)
    await sleep(%sec)
  `),
  // Special
  json: [],
  sec: ['0', '1', '0.5', '2', "'1s'", '0.001'].filter((text) => !text.startsWith("'")),
  idx: ['0', '1', '2', '3', '-1', '-2', '5', '1.5', 'undefined', 'NaN', 'Infinity', '-Infinity', '$num', "'1'", '20', '100'],
  small: ['0', '1', '2', '3', '5', '2.7', "'4'", '8', '-1', 'NaN', 'undefined'],
  radix: ['2', '8', '16', '36', '10', '3', '1', '37', 'undefined', '2.9'],
  key: ['x', 'y', 'k', 'z', 'a', 'if', '1', "'a b'"],
  prop: ['x', 'y', 'k', 'f', 'a', 'z', 'if', 'length'],
  kstr: ["'x'", "'y'", "'1'", '1', "'01'", '%str', '%num', "'k'", "'a b'"],
  cmp: lines(`
    (a, b) => (a | 0) - (b | 0)
    (a, b) => (b | 0) - (a | 0)
    (a, b) => (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0)
    () => 0
    undefined
    (a, b) => (a % 2 | 0) - (b % 2 | 0)
    (a, b) => a > b
    (a, b) => a - b
    (a, b) => (a <= b ? -1 : 1)
    (a, b) => a?.length - b?.length
    (a, b) => { log('compared', a, b); return a > b }
    () => 1
    () => -1
  `),
  red: lines(`
    (sum, n) => sum + n
    (sum, n, i) => [sum, n, i].join()
    (a, b) => (a > b ? a : b)
    (a, b, i, list) => a + list.length
  `),
}
