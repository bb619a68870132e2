//! The Flow language.
