export const playground = '<!doctype html>';
