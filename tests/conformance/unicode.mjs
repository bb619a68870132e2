// Writes flow/src/regex/unicode.txt: what the pinned Node knows of Unicode, so that `\\p{…}` and the flag `i` mean in Flow
// what they mean there. To be run again when the pinned Node gets a newer Unicode.
// unicode.sh runs it; with --check it only compares.
import { readFileSync, writeFileSync } from 'node:fs'

const target = new URL('../../flow/src/regex/unicode.txt', import.meta.url)
const LAST = 0x10ffff

// The names of the specification. With `=` other names of the same.
const CATEGORIES = words(`
  Lu=Uppercase_Letter Ll=Lowercase_Letter Lt=Titlecase_Letter Lm=Modifier_Letter Lo=Other_Letter Mn=Nonspacing_Mark
  Mc=Spacing_Mark Me=Enclosing_Mark Nd=Decimal_Number=digit Nl=Letter_Number No=Other_Number Pc=Connector_Punctuation
  Pd=Dash_Punctuation Ps=Open_Punctuation Pe=Close_Punctuation Pi=Initial_Punctuation Pf=Final_Punctuation
  Po=Other_Punctuation Sm=Math_Symbol Sc=Currency_Symbol Sk=Modifier_Symbol So=Other_Symbol Zs=Space_Separator
  Zl=Line_Separator Zp=Paragraph_Separator Cc=Control=cntrl Cf=Format Cs=Surrogate Co=Private_Use Cn=Unassigned`)
const GROUPS = words(`
  LC=Cased_Letter:Lu,Ll,Lt L=Letter:Lu,Ll,Lt,Lm,Lo M=Mark=Combining_Mark:Mn,Mc,Me N=Number:Nd,Nl,No
  P=Punctuation=punct:Pc,Pd,Ps,Pe,Pi,Pf,Po S=Symbol:Sm,Sc,Sk,So Z=Separator:Zs,Zl,Zp C=Other:Cc,Cf,Cs,Co,Cn`)
const BINARY = words(`
  ASCII_Hex_Digit=AHex Alphabetic=Alpha Bidi_Control=Bidi_C Bidi_Mirrored=Bidi_M Case_Ignorable=CI Cased
  Changes_When_Casefolded=CWCF Changes_When_Casemapped=CWCM Changes_When_Lowercased=CWL
  Changes_When_NFKC_Casefolded=CWKCF Changes_When_Titlecased=CWT Changes_When_Uppercased=CWU Dash
  Default_Ignorable_Code_Point=DI Deprecated=Dep Diacritic=Dia Emoji Emoji_Component=EComp Emoji_Modifier=EMod
  Emoji_Modifier_Base=EBase Emoji_Presentation=EPres Extended_Pictographic=ExtPict Extender=Ext Grapheme_Base=Gr_Base
  Grapheme_Extend=Gr_Ext Hex_Digit=Hex IDS_Binary_Operator=IDSB IDS_Trinary_Operator=IDST ID_Continue=IDC
  ID_Start=IDS Ideographic=Ideo Join_Control=Join_C Logical_Order_Exception=LOE Lowercase=Lower Math
  Noncharacter_Code_Point=NChar Pattern_Syntax=Pat_Syn Pattern_White_Space=Pat_WS Quotation_Mark=QMark Radical
  Regional_Indicator=RI Sentence_Terminal=STerm Soft_Dotted=SD Terminal_Punctuation=Term Unified_Ideograph=UIdeo
  Uppercase=Upper Variation_Selector=VS White_Space=space XID_Continue=XIDC XID_Start=XIDS`)
// Their short names are found by trying all.
const SCRIPTS = words(`
  Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Beria_Erfe
  Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham
  Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru
  Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek
  Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana
  Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana
  Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu
  Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi
  Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani
  Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki
  Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian
  Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician
  Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sidetic SignWriting Sinhala
  Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet
  Tai_Yo Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Tolong_Siki Toto
  Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square`)

function words(text) {
  return text.trim().split(/\s+/)
}

const number = (value) => value.toString(36)

// All characters in stretches of one width, with surrogates so that no two of them make a pair.
const stretches = [[0, 0xd7ff], [0xd800, 0xdbff], [0xdc00, 0xdfff], [0xe000, 0xffff], [0x10000, LAST]].map(([first, last]) => ({
  first,
  width: last > 0xffff ? 2 : 1,
  text: Array.from({ length: last - first + 1 }, (_, at) => String.fromCodePoint(first + at)).join(''),
}))

/** Ranges as `gap-more`: how far it is from behind the range before, and how many follow the first; both in base 36. */
function ranges(property) {
  const found = []
  for (const { first, width, text } of stretches) {
    for (const match of text.matchAll(new RegExp(`\\p{${property}}+`, 'gu'))) {
      const from = first + match.index / width
      const to = from + match[0].length / width
      if (found.at(-1)?.to === from) found.at(-1).to = to
      else found.push({ from, to })
    }
  }
  let behind = 0
  const gaps = found.map(({ from, to }) => {
    const gap = number(from - behind) + (to - from > 1 ? `-${number(to - from - 1)}` : '')
    behind = to
    return gap
  })
  return gaps.join(' ')
}

function known(property) {
  try {
    return Boolean(new RegExp(`\\p{${property}}`, 'u'))
  } catch {
    return false
  }
}

/** The short names of scripts, by a character of each. */
function shortNames() {
  const letters = [...'abcdefghijklmnopqrstuvwxyz']
  const found = []
  for (const a of letters) for (const b of letters) for (const c of letters) for (const d of letters) {
    const name = a.toUpperCase() + b + c + d
    if (known(`sc=${name}`)) found.push(name)
  }
  return found
}

/** What equals what without case: classes of characters, as `gap+step+step`. */
function classes(flags, last) {
  const cased = []
  for (let point = 0; point <= last; point++) {
    const char = String.fromCodePoint(point)
    if (char.toLowerCase() !== char || char.toUpperCase() !== char || /\p{CWCM}|\p{CWCF}/u.test(char)) cased.push(point)
  }
  const all = cased.map((point) => String.fromCodePoint(point)).join('')
  const out = []
  let before = 0
  const seen = new Set()
  for (const point of cased) {
    if (seen.has(point)) continue
    const char = String.fromCodePoint(point)
    const same = all.match(new RegExp(char, `g${flags}`)).map((one) => one.codePointAt(0))
    same.forEach((one) => seen.add(one))
    if (same.length < 2) continue
    const steps = same.map((one, at) => number(one - (at ? same[at - 1] : before)))
    out.push(steps.join('+'))
    before = same[0]
  }
  return out.join(' ')
}

const lines = [`unicode ${process.versions.unicode.split('.')[0]}`]
for (const names of CATEGORIES) lines.push(`gc=${names} ${ranges(names.split('=')[0])}`)
for (const names of GROUPS) lines.push(`gc+${names.replace(':', ' ')}`)
for (const names of BINARY) lines.push(`is=${names} ${ranges(names.split('=')[0])}`)
const short = shortNames()
for (const name of SCRIPTS) {
  if (!known(`sc=${name}`)) continue
  const sample = ranges(`sc=${name}`)
  const aliases = short.filter((other) => {
    const first = parseInt(sample, 36)
    return sample && new RegExp(`\\p{sc=${other}}`, 'u').test(String.fromCodePoint(first))
  })
  const names = [name, ...aliases].join('=')
  lines.push(`sc=${names} ${sample}`)
  const extended = ranges(`scx=${name}`)
  if (extended !== sample) lines.push(`scx=${names} ${extended}`)
}
lines.push(`fold ${classes('i', 0xffff)}`, `fold-u ${classes('iu', LAST)}`)
const text = lines.map((line) => `${line.trimEnd()}\n`).join('')
if (process.argv.includes('--check')) {
  const same = readFileSync(target, 'utf8') === text
  console.log(same ? '1 passed, 0 failed' : 'flow/src/regex/unicode.txt is not what this Node knows\n0 passed, 1 failed')
  process.exit(same ? 0 : 1)
}
writeFileSync(target, text)
console.log(`${lines.length} lines, ${text.length} bytes`)
