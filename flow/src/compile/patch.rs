//! Jumps to places that are not known yet.

use super::Compiler;
use crate::op::Op;

/// The target of a jump that waits for `land`.
pub(super) const LATER: u32 = u32::MAX;

impl Compiler<'_> {
    /// The place of the next instruction.
    pub(super) fn here(&mut self) -> u32 {
        self.this().func.code.len() as u32
    }

    /// Lets a jump go to the next instruction.
    pub(super) fn land(&mut self, jump: usize) {
        let here = self.here();
        self.land_at(jump, here);
    }

    /// Lets a jump go to an instruction.
    pub(super) fn land_at(&mut self, jump: usize, to: u32) {
        let op = &mut self.this().func.code[jump];
        *op = op.with_target(to);
    }

    /// Lets several jumps go to the next instruction.
    pub(super) fn land_all(&mut self, jumps: Vec<usize>) {
        jumps.into_iter().for_each(|jump| self.land(jump));
    }

    /// Emits a jump forward.
    pub(super) fn jump(&mut self, op: fn(u32) -> Op) -> usize {
        self.emit(op(LATER))
    }
}
