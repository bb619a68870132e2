//! Templates of the messages that quote the source. They hold characters that Unicode keeps free, and that are filled
//! in when an instruction fails; source that has them is not quoted.

/// `undefined` or `null`.
pub(crate) const NOTHING: char = '\u{FDD0}';
/// The value, with its type.
pub(crate) const VALUE: char = '\u{FDD1}';
/// Parts what is said of `undefined` and `null` from what is said of all other values.
pub(crate) const OTHERWISE: char = '\u{FDD2}';
/// The value and its type, as where V8 applies what is no function: `5, which is a number`.
pub(crate) const APPLIED: char = '\u{FDD3}';

/// Fills a template in.
pub(crate) fn fill(template: &str, is_nothing: bool, nothing: &str, value: &str) -> String {
    let template = match template.split_once(OTHERWISE) {
        Some((of_nothing, _)) if is_nothing => of_nothing,
        Some((_, of_others)) => of_others,
        None => template,
    };
    template
        .replace(NOTHING, nothing)
        .replace([VALUE, APPLIED], value)
}
