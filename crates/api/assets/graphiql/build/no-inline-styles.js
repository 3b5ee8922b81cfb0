// Stands in for react-style-singleton, which writes <style> elements that `style-src 'self'` forbids. Its one use
// here is to stop the page behind a dialog from scrolling, and this page does not scroll.
const nothing = () => null;

export const styleSingleton = () => nothing;
