select rhythm.tick();
