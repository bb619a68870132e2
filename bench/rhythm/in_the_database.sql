select rhythm.start('in_the_database');
