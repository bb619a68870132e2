//! The limits of a step, each named after its setting, and the meter that watches them.
//!
//! The meter counts down once an instruction. When it runs out, the VM is between two instructions:
//! it asks the host for interrupts, and collects garbage if that is due.

use crate::error::Throw;

/// How many instructions lie between two looks at the host.
const CHUNK: i64 = 4096;

/// What a step may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions from one suspension to the next (`rhythm.step_fuel`).
    pub fuel: u64,
    /// Bytes of live values (`rhythm.step_heap`).
    pub heap_bytes: usize,
    /// Nested calls (`rhythm.step_depth`).
    pub depth: usize,
    /// UTF-16 units of one string (`rhythm.string_size`).
    pub string_units: usize,
    /// Bytes of a save (`rhythm.save_size`).
    pub save_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 1_000_000_000,
            heap_bytes: 64 << 20,
            depth: 10_000,
            string_units: 16 << 20,
            save_bytes: 16 << 20,
        }
    }
}

/// What a step has used of its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Instructions.
    pub fuel: u64,
    /// Bytes of live values: the most that a collection has found.
    pub heap_bytes: usize,
}

/// Counts what a step uses.
#[derive(Debug)]
pub struct Meter {
    /// The limits of this step.
    pub limits: Limits,
    /// Instructions until the next look at the host; the loop decrements it.
    pub(crate) countdown: i64,
    /// Fuel that is left besides the countdown.
    fuel: i64,
    /// Bytes allocated, garbage included.
    bytes: usize,
    /// A collection is due when `bytes` is above this.
    collect_above: usize,
    /// The most that a collection of this step has left.
    most_live: usize,
}

/// A collection is not worth its time below this.
const FIRST_COLLECTION: usize = 1 << 20;

impl Meter {
    /// Starts counting.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut meter = Self {
            countdown: 0,
            fuel: 0,
            bytes: 0,
            collect_above: FIRST_COLLECTION.min(limits.heap_bytes),
            most_live: 0,
            limits,
        };
        meter.refuel();
        meter
    }

    /// Gives a new step its fuel.
    pub(crate) fn refuel(&mut self) {
        self.fuel = i64::try_from(self.limits.fuel).unwrap_or(i64::MAX);
        self.countdown = 0;
        self.most_live = 0;
    }

    /// What the step has used so far.
    pub(crate) fn used(&self) -> Used {
        let left = self.fuel.saturating_add(self.countdown);
        Used {
            fuel: (self.limits.fuel).saturating_sub(u64::try_from(left).unwrap_or(0)),
            heap_bytes: self.most_live,
        }
    }

    /// Counts `amount` instructions, for a builtin that loops.
    ///
    /// # Errors
    /// When the fuel is used up.
    pub fn spend(&mut self, amount: usize) -> Result<(), Throw> {
        self.countdown = self
            .countdown
            .saturating_sub(i64::try_from(amount).unwrap_or(i64::MAX));
        if self.countdown < 0 {
            self.fuel = self.fuel.saturating_add(self.countdown);
            self.countdown = 0;
            if self.fuel < 0 {
                return Err(self.out_of_fuel());
            }
            // What was allocated without asking: `charge` refuses the same.
            if self.bytes > self.limits.heap_bytes.saturating_mul(2) {
                return Err(self.out_of_heap());
            }
        }
        Ok(())
    }

    /// Counts work that is done where nothing can fail. The loop asks for it before its next instruction, and
    /// a builtin that loops has to ask for it itself (`Cx::pay`).
    #[inline]
    pub(crate) fn owe(&mut self, amount: usize) {
        self.countdown = self
            .countdown
            .saturating_sub(i64::try_from(amount).unwrap_or(i64::MAX));
    }

    /// Takes the next chunk of fuel.
    pub(crate) fn refill(&mut self) -> Result<(), Throw> {
        self.fuel = self.fuel.saturating_add(self.countdown.min(0));
        if self.fuel <= 0 {
            return Err(self.out_of_fuel());
        }
        let chunk = self.fuel.min(CHUNK);
        self.fuel -= chunk;
        self.countdown = self.countdown.max(0) + chunk;
        Ok(())
    }

    /// Counts bytes of a new value, and makes the loop stop for a collection if that is due.
    #[inline]
    pub(crate) fn allocated(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > self.collect_above {
            self.pause();
        }
    }

    /// Counts bytes before they are allocated by a builtin.
    ///
    /// # Errors
    /// When one operation wants more than a whole heap: no collection can happen inside of it.
    #[inline]
    pub fn charge(&mut self, bytes: usize) -> Result<(), Throw> {
        if bytes > self.limits.heap_bytes
            || self.bytes.saturating_add(bytes) > self.limits.heap_bytes.saturating_mul(2)
        {
            return Err(self.out_of_heap());
        }
        self.allocated(bytes);
        Ok(())
    }

    #[cold]
    fn pause(&mut self) {
        self.fuel += self.countdown.max(0);
        self.countdown = self.countdown.min(0);
    }

    /// Whether it is time to collect.
    pub(crate) fn collection_due(&self) -> bool {
        self.bytes > self.collect_above
    }

    /// Notes what a collection left.
    pub(crate) fn collected(&mut self, live: usize) -> Result<(), Throw> {
        self.bytes = live;
        self.most_live = self.most_live.max(live);
        if live > self.limits.heap_bytes {
            return Err(self.out_of_heap());
        }
        // Close under the limit a collection after each small allocation would cost all the time.
        let most = self
            .limits
            .heap_bytes
            .max(live + self.limits.heap_bytes / 16);
        self.collect_above = (live * 2).max(FIRST_COLLECTION).min(most);
        Ok(())
    }

    /// The bytes in use, garbage included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Checks the length of a new string.
    ///
    /// # Errors
    /// When it is longer than `rhythm.string_size`.
    #[inline]
    pub fn string(&mut self, units: usize) -> Result<(), Throw> {
        if units > self.limits.string_units {
            return Err(self.string_too_long());
        }
        self.charge(units * 2)
    }

    #[cold]
    fn string_too_long(&self) -> Throw {
        let most = self.limits.string_units;
        Throw::limit(
            "rhythm.string_size",
            format!("A string would be longer than {most} units."),
        )
    }

    #[cold]
    fn out_of_fuel(&self) -> Throw {
        let fuel = self.limits.fuel;
        Throw::limit(
            "rhythm.step_fuel",
            format!("The step ran {fuel} instructions without waiting for anything."),
        )
    }

    #[cold]
    pub(crate) fn out_of_heap(&self) -> Throw {
        let most = self.limits.heap_bytes;
        Throw::limit(
            "rhythm.step_heap",
            format!("The values of the run need more than {most} bytes."),
        )
    }

    /// The failure of a call that nests too deeply.
    #[cold]
    pub(crate) fn too_deep(&self) -> Throw {
        let depth = self.limits.depth;
        Throw::limit(
            "rhythm.step_depth",
            format!("Calls are nested more than {depth} deep."),
        )
    }
}
