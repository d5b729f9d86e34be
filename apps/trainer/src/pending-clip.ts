export const resolveModelFolder = async (folder: string): Promise<string> => folder;
