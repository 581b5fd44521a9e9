def open_workbook(file, limits): raise NotImplementedError
