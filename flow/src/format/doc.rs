//! A document: text with places where lines may break, and how it is laid out in a given width.
//! Knows nothing of Flow.
//!
//! The model is Wadler's and Prettier's: a *group* is laid out on one line if it fits, else all lines that
//! stand directly in it break. A document is a flat list of items, so building, measuring and printing
//! are loops. Measuring stops where the width ends, so the time is linear.

use std::borrow::Cow;

/// Columns of a line.
const WIDTH: usize = 100;

/// Columns of a level of indentation.
const INDENT: usize = 2;

/// What a place where lines may break is in a group that stays on one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing.
    Soft,
    /// A space.
    Space,
    /// A space; where the group breaks, an empty line besides.
    SpaceBlank,
    /// It always breaks. Two of them in a row are one.
    Hard,
    /// It always breaks and leaves a line empty.
    Blank,
}

enum Item<'s> {
    Text(Cow<'s, str>),
    Line(Line),
    /// A space, unless something that needs none is in front.
    Gap,
    Open(usize),
    Close,
    Indent,
    Dedent,
    /// Text that stands there only where the group around it breaks.
    IfBroken(&'static str),
    /// Text and the end of the line, at the end of a last part that is hugged.
    IfHugged(&'static str),
    /// A comment up to the end of the line: it waits for the next break.
    Suffix(&'s str),
    /// A comment, which must stay behind all suffixes in front of it.
    Comment(Cow<'s, str>),
    /// From here to its end nothing breaks for the sake of the width.
    Rigid,
    EndRigid,
}

#[derive(Default)]
struct Group {
    parent: Option<usize>,
    /// Something in it always breaks.
    broken: bool,
    /// The group may stay on one line while its last part breaks, as in `f(a, () => {`.
    hug: Option<Hug>,
    /// It is the last part of that group.
    last_of: Option<usize>,
}

#[derive(Default)]
struct Hug {
    last: Option<usize>,
    /// Something in the last part always breaks.
    last_broken: bool,
    /// Hug only if the last part would not fit on a line of its own.
    only_if_long: bool,
}

/// A document that is being built.
#[derive(Default)]
pub(super) struct Doc<'s> {
    items: Vec<Item<'s>>,
    groups: Vec<Group>,
    open: Option<usize>,
    /// The next group to be opened is the last part of this one.
    next_is_last_of: Option<usize>,
    /// A comment waits for the end of the line: the next line of a group that is open must break.
    suffix_waits: bool,
    /// The last thing that is no line is a comment up to the end of the line.
    after_suffix: bool,
    /// The last thing that is no line is another comment.
    after_comment: bool,
}

impl<'s> Doc<'s> {
    pub(super) fn text(&mut self, text: impl Into<Cow<'s, str>>) {
        let text = text.into();
        self.after_suffix = false;
        if std::mem::take(&mut self.after_comment) && !text.starts_with([',', ';', ')', ']']) {
            self.gap();
        }
        self.items.push(Item::Text(text));
    }

    pub(super) fn line(&mut self, line: Line) {
        let waited = std::mem::take(&mut self.suffix_waits);
        if waited || matches!(line, Line::Hard | Line::Blank) {
            self.break_open();
        }
        self.items.push(Item::Line(line));
    }

    /// Text that stays with what is in front of it, even a comment.
    pub(super) fn append(&mut self, text: &'static str) {
        self.items.push(Item::Text(text.into()));
        self.after_comment = false;
        self.after_suffix = false;
    }

    pub(super) fn gap(&mut self) {
        self.items.push(Item::Gap);
    }

    /// Text that is printed only where the innermost group breaks.
    pub(super) fn if_broken(&mut self, text: &'static str) {
        self.items.push(Item::IfBroken(text));
    }

    /// Text and the end of the line that are printed only in the last part of a group that hugs it.
    pub(super) fn if_hugged(&mut self, text: &'static str) {
        self.items.push(Item::IfHugged(text));
    }

    pub(super) fn suffix(&mut self, text: &'s str) {
        self.items.push(Item::Suffix(text));
        self.suffix_waits = true;
        self.after_suffix = true;
    }

    pub(super) fn comment(&mut self, text: impl Into<Cow<'s, str>>) {
        self.items.push(Item::Comment(text.into()));
        self.after_comment = true;
    }

    pub(super) fn open(&mut self) {
        let id = self.groups.len();
        let last_of = self.next_is_last_of.take();
        if let Some(hug) = last_of.and_then(|of| self.groups[of].hug.as_mut()) {
            hug.last = Some(id);
        }
        self.groups.push(Group {
            parent: self.open,
            last_of,
            ..Group::default()
        });
        self.items.push(Item::Open(id));
        self.open = Some(id);
    }

    /// Opens a group that may hug its last part.
    pub(super) fn open_hug(&mut self, only_if_long: bool) {
        self.open();
        if let Some(id) = self.open {
            self.groups[id].hug = Some(Hug {
                only_if_long,
                ..Hug::default()
            });
        }
    }

    /// The next group to be opened is the last part of the hugging group that is open.
    pub(super) fn last_part(&mut self) {
        self.next_is_last_of = self.open;
    }

    pub(super) fn close(&mut self) {
        self.items.push(Item::Close);
        self.open = self.open.and_then(|id| self.groups[id].parent);
    }

    pub(super) fn indent(&mut self) {
        self.items.push(Item::Indent);
    }

    pub(super) fn dedent(&mut self) {
        self.items.push(Item::Dedent);
    }

    pub(super) fn rigid(&mut self) {
        self.items.push(Item::Rigid);
    }

    pub(super) fn end_rigid(&mut self) {
        self.items.push(Item::EndRigid);
    }

    /// All groups that are open break.
    pub(super) fn break_open(&mut self) {
        let mut at = self.open;
        let mut from_last = false;
        while let Some(id) = at {
            let group = &mut self.groups[id];
            // A last part that breaks does not break the group that hugs it, but all around that.
            let mark = match &mut group.hug {
                Some(hug) if from_last => &mut hug.last_broken,
                _ => &mut group.broken,
            };
            // What is around a marked group is marked already.
            if std::mem::replace(mark, true) {
                return;
            }
            from_last = group.last_of.is_some() && group.last_of == group.parent;
            at = group.parent;
        }
    }

    /// Whether a comment waits for the end of the line.
    pub(super) fn suffix_waits(&self) -> bool {
        self.suffix_waits
    }

    /// Whether a comment is the last thing that was printed.
    pub(super) fn ends_in_comment(&self) -> bool {
        self.after_suffix || self.after_comment
    }

    /// Lays the document out.
    pub(super) fn print(&self) -> String {
        Layout::new(self).print()
    }
}

/// How the lines that stand directly in a group are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// On one line.
    Flat,
    /// Each breaks.
    Broken,
    /// On one line, but the last part breaks.
    Hugged,
}

struct Layout<'d, 's> {
    doc: &'d Doc<'s>,
    out: String,
    /// Columns of the current line; nothing is on it yet if there are none.
    column: usize,
    level: usize,
    modes: Vec<(Mode, Option<usize>)>,
    /// For each open indentation, whether it counts.
    indents: Vec<bool>,
    suffix: Option<&'s str>,
    rigid: usize,
    /// The groups inside of what is being measured.
    inner: Vec<Option<usize>>,
}

impl<'d, 's> Layout<'d, 's> {
    fn new(doc: &'d Doc<'s>) -> Self {
        Self {
            doc,
            out: String::new(),
            column: 0,
            level: 0,
            modes: vec![(Mode::Broken, None)],
            indents: Vec::new(),
            suffix: None,
            rigid: 0,
            inner: Vec::new(),
        }
    }

    fn print(mut self) -> String {
        for (index, item) in self.doc.items.iter().enumerate() {
            match item {
                Item::Text(text) => self.text(text),
                Item::Line(line) => self.line(*line),
                Item::Gap => self.gap(),
                Item::Open(id) => {
                    let mode = self.mode_of(*id, index);
                    self.modes.push((mode, Some(*id)));
                }
                Item::Close => drop(self.modes.pop()),
                Item::Indent => {
                    let counts = self.mode() == Mode::Broken;
                    self.indents.push(counts);
                    self.level += usize::from(counts);
                }
                Item::Dedent => {
                    self.level -= usize::from(self.indents.pop() == Some(true));
                }
                Item::IfBroken(text) => {
                    if self.mode() == Mode::Broken {
                        self.text(text);
                    }
                }
                Item::IfHugged(text) => {
                    let around = self.modes.len().checked_sub(2).map(|at| self.modes[at].0);
                    if self.mode() == Mode::Broken && around == Some(Mode::Hugged) {
                        self.text(text);
                        self.newline();
                    }
                }
                Item::Suffix(text) => {
                    if self.suffix.is_some() {
                        self.newline();
                    }
                    self.suffix = Some(text);
                }
                Item::Comment(text) => {
                    if self.suffix.is_some() {
                        self.newline();
                    }
                    self.text(text);
                }
                Item::Rigid => self.rigid += 1,
                Item::EndRigid => self.rigid -= 1,
            }
        }
        self.newline();
        self.out
    }

    fn mode(&self) -> Mode {
        self.modes.last().map_or(Mode::Broken, |(mode, _)| *mode)
    }

    /// Decides how a group is laid out that opens at `index`.
    fn mode_of(&mut self, id: usize, index: usize) -> Mode {
        let group = &self.doc.groups[id];
        if group.broken {
            return Mode::Broken;
        }
        let hug = group.hug.as_ref().filter(|hug| hug.last.is_some());
        let last_broken = hug.is_some_and(|hug| hug.last_broken);
        let around = self.modes.last().copied();
        let (mode, outer) = around.unwrap_or((Mode::Broken, None));
        let is_last = group.last_of.is_some() && group.last_of == outer;
        if !last_broken
            && (mode == Mode::Flat || self.rigid > 0 || mode == Mode::Hugged && !is_last)
        {
            return Mode::Flat;
        }
        let column = self.column();
        if !last_broken && self.fits(index, column, None) {
            return Mode::Flat;
        }
        let Some(Hug {
            last: Some(last),
            only_if_long,
            ..
        }) = hug
        else {
            return Mode::Broken;
        };
        if self.rigid > 0 {
            return Mode::Hugged;
        }
        if *only_if_long && !last_broken && self.last_fits_alone(index, *last) {
            return Mode::Broken;
        }
        if self.fits(index, column, Some(*last)) {
            Mode::Hugged
        } else {
            Mode::Broken
        }
    }

    /// Whether the last part of a group fits on a line of its own.
    fn last_fits_alone(&mut self, index: usize, last: usize) -> bool {
        let rest = &self.doc.items[index..];
        let opens = |item: &Item<'_>| matches!(item, Item::Open(id) if *id == last);
        let Some(at) = rest.iter().position(opens) else {
            return false;
        };
        // As if the group had broken.
        self.modes.push((Mode::Broken, None));
        let column = (self.level + 1) * INDENT;
        let fits = self.fits(index + at, column, None);
        self.modes.pop();
        fits
    }

    /// Whether what comes from the group that opens at `index` up to the next possible break fits behind
    /// `column`. Lines in the group do not break, but those of its last part if that is given.
    fn fits(&mut self, index: usize, column: usize, last: Option<usize>) -> bool {
        let Some(mut left) = WIDTH.checked_sub(column) else {
            return false;
        };
        self.inner.clear();
        let mut spaced = self.is_spaced();
        // The group itself is closed when this many are left.
        let mut around = self.modes.len();
        let mut inside = true;
        for item in &self.doc.items[index..] {
            let width = match item {
                Item::Text(text) | Item::Comment(text) => match text.split_once('\n') {
                    Some((first, rest)) => {
                        if columns(first) > left {
                            return false;
                        }
                        spaced = false;
                        left = WIDTH;
                        columns(rest.rsplit('\n').next().unwrap_or_default())
                    }
                    None => {
                        spaced = ends_spaced(text);
                        columns(text)
                    }
                },
                Item::Line(line) => {
                    let breaks = match self.inner.last() {
                        Some(Some(id)) => {
                            !inside || Some(*id) == last || self.doc.groups[*id].broken
                        }
                        Some(None) => false,
                        None => self.modes[around - 1].0 == Mode::Broken,
                    };
                    if breaks || matches!(line, Line::Hard | Line::Blank) {
                        return true;
                    }
                    let gap = *line != Line::Soft && !spaced;
                    spaced |= gap;
                    usize::from(gap)
                }
                Item::Gap => usize::from(!std::mem::replace(&mut spaced, true)),
                Item::Open(id) => {
                    self.inner.push(Some(*id));
                    0
                }
                Item::Close => {
                    if self.inner.pop().is_none() {
                        around -= 1;
                        if around == 0 {
                            return true;
                        }
                    } else if self.inner.is_empty() {
                        inside = false;
                    }
                    0
                }
                _ => 0,
            };
            match left.checked_sub(width) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        true
    }

    /// Where the next text would start.
    fn column(&self) -> usize {
        if self.column == 0 {
            self.level * INDENT
        } else {
            self.column
        }
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.column == 0 {
            self.column = self.level * INDENT;
            self.out.extend(std::iter::repeat_n(' ', self.column));
        }
        self.out.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = columns(last).max(1),
            None => self.column += columns(text),
        }
    }

    fn gap(&mut self) {
        if !self.is_spaced() {
            self.text(" ");
        }
    }

    /// Whether no space is needed in front of what comes next.
    fn is_spaced(&self) -> bool {
        self.column == 0 || ends_spaced(&self.out)
    }

    fn line(&mut self, line: Line) {
        let hard = matches!(line, Line::Hard | Line::Blank);
        if hard || self.mode() == Mode::Broken {
            self.newline();
            if matches!(line, Line::Blank | Line::SpaceBlank)
                && !self.out.is_empty()
                && !self.out.ends_with("\n\n")
            {
                self.out.push('\n');
            }
        } else if line != Line::Soft {
            self.gap();
        }
    }

    /// Ends the line, if anything is on it.
    fn newline(&mut self) {
        if let Some(comment) = self.suffix.take() {
            if self.column > 0 && !self.out.ends_with(' ') {
                self.text(" ");
            }
            self.text(comment);
        }
        if self.column > 0 {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            self.out.push('\n');
            self.column = 0;
        }
    }
}

fn ends_spaced(text: &str) -> bool {
    text.ends_with([' ', '(', '['])
}

fn columns(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}
